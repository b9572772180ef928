#include "runtime/operators/object_store.h"

#include <map>

#include "core/random.h"
#include "runtime/operators/keyed_store.h"
#include "testing/memory_snapshot.h"
#include "tests/unit/operators/spill_support.h"

namespace millrace {

namespace {

struct TextCodec {
  static void save(const std::string& text, ByteWriter& out) { out.put_string(text); }
  static bool load(ByteReader& in, std::string& text) {
    text = in.get_string();
    return in.ok();
  }
};
using Texts = KeyedStore<std::string, TextCodec>;
const StateDescriptor kTexts{"step", "texts", StateKind::kKeyed, "t"};

std::string read(Texts& texts, const std::string& key) {
  const auto found = texts.peek(key);
  REQUIRE(found);
  return *found == nullptr ? "" : **found;
}

/// A checkpoint of the store whose content nobody looks at.
void write_snapshot(SpillFixture& fixture, Texts& texts, bool lost) {
  SnapshotPartPtr part = texts.snapshot();
  auto files = fixture.store->snapshot();
  REQUIRE(files);
  MemorySnapshot snapshot;
  if (lost) return;
  REQUIRE(part->write(snapshot));
  if (*files) REQUIRE((*files)->write(snapshot));
}

}  // namespace

TEST_CASE("Objects that leave memory, are erased and come again are what was last written") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    SpillFixture fixture("objects");
    Texts texts(kTexts);
    REQUIRE(texts.open(fixture.context));
    REQUIRE(fixture.store->registered());
    std::map<std::string, std::string> expected;
    for (int step = 0; step < 400; ++step) {
      const std::string key = "k" + std::to_string(random.below(12));
      INFO("seed " << seed << ", step " << step << ", key " << key);
      switch (random.below(6)) {
        case 0:
        case 1: {
          const auto text = texts.at(key);
          REQUIRE(text);
          CHECK(**text == (expected.contains(key) ? expected[key] : ""));
          **text = expected[key] = "v" + std::to_string(step);
          break;
        }
        case 2:
          texts.erase(key);
          expected.erase(key);
          break;
        case 3:
          CHECK(read(texts, key) == (expected.contains(key) ? expected[key] : ""));
          break;
        case 4:
          REQUIRE(texts.prefetch({}));
          fixture.spill();
          break;
        default:
          write_snapshot(fixture, texts, random.below(3) == 0);
      }
    }
    for (int i = 0; i < 12; ++i) {
      const std::string key = "k" + std::to_string(i);
      CHECK(read(texts, key) == (expected.contains(key) ? expected[key] : ""));
    }
  }
}

TEST_CASE("What was erased is forgotten once the store knows") {
  SpillFixture fixture("objects");
  Texts texts(kTexts);
  REQUIRE(texts.open(fixture.context));
  REQUIRE(fixture.store->registered());
  for (int i = 0; i < 100; ++i) REQUIRE(texts.at("k" + std::to_string(i)));
  REQUIRE(texts.prefetch({}));
  fixture.spill();
  CHECK(texts.size() == 0);
  for (int i = 0; i < 100; ++i) texts.erase("k" + std::to_string(i));
  CHECK(texts.size() == 100);
  write_snapshot(fixture, texts, false);
  write_snapshot(fixture, texts, false);
  CHECK(texts.size() == 0);
  CHECK(texts.memory_bytes() == 0);
}

}  // namespace millrace
