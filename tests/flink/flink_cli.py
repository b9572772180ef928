"""The real command line of Apache Flink, against a job manager at `host:port`. Its jars come once from Maven."""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))
from servers import maven_jars  # noqa: E402

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "flink"
LOG4J = """<Configuration status="ERROR"><Appenders><Console name="out" target="SYSTEM_ERR"><PatternLayout
 pattern="%d %p %c %m%n"/></Console></Appenders><Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def jars() -> Path:
    """The client's jars, with a configuration for it beside them."""
    directory = maven_jars(HERE / "pom.xml", CACHE, "the jars of Flink's client")
    conf = CACHE / "conf"
    conf.mkdir(exist_ok=True)
    for name, text in (("config.yaml", "parallelism:\n  default: 1\n"), ("log4j2.xml", LOG4J)):
        if not (conf / name).exists() or (conf / name).read_text() != text:
            (conf / name).write_text(text)
    return directory


def flink(address: str, command: str, *words) -> str:
    """`flink COMMAND -m ADDRESS WORDS…`; what it printed."""
    classes = f"{jars()}/*"
    # Deserializing its own answers needs what Flink's scripts open.
    opens = ["--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"]
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *opens,
         f"-Dlog4j.configurationFile={CACHE / 'conf' / 'log4j2.xml'}", "-cp", classes,
         "org.apache.flink.client.cli.CliFrontend", command, "-m", address, *words],
        capture_output=True, text=True, timeout=120, env=os.environ | {"FLINK_CONF_DIR": str(CACHE / "conf")},
        check=False)
    assert done.returncode == 0, f"flink {command}: {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout
