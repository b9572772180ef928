"""The real command line of Apache Flink, against a job manager at `host:port`. Its jars come once from Maven."""
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "flink"
LOG4J = """<Configuration status="ERROR"><Appenders><Console name="out" target="SYSTEM_ERR"><PatternLayout
 pattern="%d %p %c %m%n"/></Console></Appenders><Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def jars() -> Path:
    """The directory of the jars; fetched on first use, once for all processes of the user. No jars is an error."""
    pom = (HERE / "pom.xml").read_bytes()
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, directory = CACHE / "jars.pom", CACHE / "jars"
        if stamp.exists() and stamp.read_bytes() == pom:
            return directory
        print(f"flink: fetching the client's jars into {directory}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        run = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
             f"-DoutputDirectory={directory}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert run.returncode == 0, f"mvn could not fetch the jars of Flink's client:\n{run.stdout[-3000:]}"
        conf = CACHE / "conf"
        conf.mkdir(exist_ok=True)
        (conf / "config.yaml").write_text("parallelism:\n  default: 1\n")
        (conf / "log4j2.xml").write_text(LOG4J)
        stamp.write_bytes(pom)
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
