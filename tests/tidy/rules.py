"""The limits and the banned calls of the house; each ban says what to use instead."""

LINE_MAX = 120
FILE_MAX = 600
FUNCTION_MAX = 70

# (pattern, what to use instead, folders or files where it is allowed)
BANNED = [
    (r"\bstd::regex\b|#include <regex>", "RE2", ()),
    (r"\bstd::format\b|#include <format>", "fmt (g++ 12 has no std::format)", ()),
    (r"\bco_(await|yield|return)\b", "callbacks (g++ 12 destroys temporaries in co_await twice)", ()),
    (r"(?<![\w.:>])s?rand\(|\bstd::(mt19937|random_device|default_random_engine)\b", "core/random.h", ("bench",)),
    (r"\bsystem_clock::now\b|(?<![\w.:>])time\((nullptr|NULL|0)\)|\bgettimeofday\(", "Clock of core/clock.h",
     ("core/clock.cc", "core/log.cc", "bench", "tests/kafka")),
    (r"\.detach\(\)", "join the thread", ()),
    (r"\bstd::(cout|cerr|endl)\b|#include <iostream>", "core/log.h, or fwrite in cli", ("cli", "bench", "tests")),
    (r"(?<![\w:])(printf|fprintf|puts|perror)\(|\bstd::(printf|fprintf|puts|perror)\(", "core/log.h",
     ("cli", "bench", "tests", "core/log.cc", "core/status.cc")),
    (r"(?<![\w.:>])assert\(|#include <cassert>", "MR_CHECK, which stays on in release builds", ()),
    (r"\b(atoi|atol|atoll|atof|strtod|strtol|strtoll)\(|\bstd::sto(i|l|ll|ul|ull|f|d)\(",
     "std::from_chars or data/number_text.h", ("data/number_text.cc", "bench", "tests")),
    (r"\b(strcpy|strcat|sprintf|gets)\(", "std::string or fmt", ()),
    (r"\bstd::filesystem\b|\bstd::[io]?fstream\b|(?<![\w.:>])fopen\(", "FileSystem of core/file_system.h",
     ("core", "bench", "tests", "cli")),
    (r"\busing namespace (?!std::(string_view_)?literals|std::chrono_literals)", "the names one needs", ("tests",)),
    (r"(?<![\w.:>])(?<!\w )(exit|_exit|quick_exit|abort)\(|\bstd::(exit|_Exit|quick_exit|abort)\(",
     "a Status, or MR_CHECK", ("cli", "bench", "tests", "core/status.cc")),
    (r"\bsleep_for\(|\busleep\(|(?<![\w.:>])sleep\(|\bsleep_until\(",
     "a Waker, a condition variable, or ManualClock", ("bench", "tests/exactly_once")),
    (r"(?<![\w.:>])throw\b(?! *\(\))", "Status or Result", ("tests",)),
    (r"\b(TODO|FIXME|XXX|HACK)\b", "an issue, or the work itself", ()),
    (r"\bnamespace \w+::\w+|\bnamespace (?!millrace\b|\{|std\b)\w+ *\{",
     "one flat namespace millrace", ("tests/kafka", "bench")),
]
