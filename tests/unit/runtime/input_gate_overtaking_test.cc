#include <catch2/catch.hpp>

#include "runtime/input_gate.h"
#include "tests/unit/runtime/mini_job.h"
#include "tests/unit/runtime/test_rows.h"

namespace millrace {

namespace {

Element element_of(ElementKind kind, int64_t value) {
  Element element;
  element.kind = kind;
  element.value = value;
  if (kind == ElementKind::kBatch) element.batch = numbers({value});
  return element;
}

struct TwoChannels {
  Channel a;
  Channel b;
  InputGate gate;
  GateEvent event;

  explicit TwoChannels(bool together = false) {
    gate.add(&a, 0, 0, {0, 0, 0});
    gate.add(&b, 0, 0, {0, 1, 0}, together);
  }
  static void send(Channel& to, ElementKind kind, int64_t value) {
    Element element = element_of(kind, value);
    REQUIRE(to.offer(element));
  }
  /// The next thing as text: "row 3", "watermark 10", "barrier 1"; "" when there is none.
  std::string next() {
    if (!gate.next(event)) return "";
    switch (event.kind) {
      case ElementKind::kBatch:
        return "row " + std::to_string(numbers_of(event.batch)[0]);
      case ElementKind::kWatermark:
        return "watermark " + std::to_string(event.value);
      case ElementKind::kBarrier:
        return "barrier " + std::to_string(event.value);
      case ElementKind::kIdle:
        return "idle";
      case ElementKind::kActive:
        return "active";
      case ElementKind::kEnd:
        return "end";
    }
    return "?";
  }
  /// What was recorded of each channel.
  std::vector<std::vector<int64_t>> recorded() {
    std::vector<std::vector<int64_t>> values;
    for (const ChannelRows& rows : gate.take_recorded()) {
      values.emplace_back();
      for (const Element& element : rows.elements) {
        values.back().push_back(element.kind == ElementKind::kBatch ? numbers_of(element.batch)[0] : -element.value);
      }
    }
    return values;
  }
};

using Recorded = std::vector<std::vector<int64_t>>;

}  // namespace

TEST_CASE("What waits in front of a barrier that overtakes is recorded, and delivered all the same") {
  TwoChannels in;
  TwoChannels::send(in.a, ElementKind::kBatch, 1);
  TwoChannels::send(in.a, ElementKind::kBarrier, 7);
  TwoChannels::send(in.a, ElementKind::kBatch, 2);
  TwoChannels::send(in.b, ElementKind::kBatch, 3);
  TwoChannels::send(in.b, ElementKind::kWatermark, 30);
  REQUIRE(in.gate.may_overtake(7));
  in.gate.begin_snapshot(7);
  REQUIRE_FALSE(in.gate.record());  // the barrier of `b` may have rows before it that have not arrived
  REQUIRE(in.next() == "row 1");
  REQUIRE(in.next() == "row 3");
  REQUIRE(in.next() == "row 2");  // the snapshot is taken: nobody waits
  TwoChannels::send(in.b, ElementKind::kBatch, 4);
  REQUIRE(in.next() == "row 4");
  TwoChannels::send(in.b, ElementKind::kBatch, 5);
  TwoChannels::send(in.b, ElementKind::kBarrier, 7);
  TwoChannels::send(in.b, ElementKind::kBatch, 6);
  REQUIRE(in.gate.record());
  REQUIRE(in.recorded() == Recorded{{1}, {3, -30, 4, 5}});
  REQUIRE(in.next() == "row 5");
  REQUIRE(in.next() == "row 6");
  REQUIRE(in.next() == "");
  REQUIRE_FALSE(in.gate.may_overtake(7));
}

TEST_CASE("A barrier beside the channel counts behind what was sent before it") {
  TwoChannels in;
  TwoChannels::send(in.a, ElementKind::kBatch, 1);
  REQUIRE(in.a.overtake(7));
  TwoChannels::send(in.a, ElementKind::kBatch, 2);
  REQUIRE(in.b.overtake(7));
  in.gate.begin_snapshot(7);
  REQUIRE(in.gate.record());
  REQUIRE(in.recorded() == Recorded{{1}, {}});
}

TEST_CASE("Rows behind a barrier beside the channel wait for the snapshot") {
  TwoChannels in;
  TwoChannels::send(in.a, ElementKind::kBatch, 1);
  REQUIRE(in.a.overtake(7));
  TwoChannels::send(in.a, ElementKind::kBatch, 2);
  TwoChannels::send(in.b, ElementKind::kBatch, 3);
  REQUIRE(in.next() == "row 1");
  REQUIRE(in.next() == "row 3");
  REQUIRE(in.next() == "");
  TwoChannels::send(in.b, ElementKind::kBarrier, 7);
  REQUIRE(in.next() == "barrier 7");  // aligned after all
  in.gate.begin_snapshot(7);
  REQUIRE(in.gate.record());
  REQUIRE(in.recorded().empty());
  REQUIRE(in.next() == "row 2");
}

TEST_CASE("A channel that waits for an aborted checkpoint goes on when another one has overtaken it") {
  TwoChannels in;
  TwoChannels::send(in.a, ElementKind::kBarrier, 7);
  TwoChannels::send(in.a, ElementKind::kBatch, 1);
  REQUIRE(in.next() == "");
  REQUIRE(in.b.overtake(8));
  REQUIRE(in.next() == "row 1");
  TwoChannels::send(in.a, ElementKind::kBarrier, 8);
  REQUIRE(in.next() == "barrier 8");
}

TEST_CASE("A channel of a broadcast edge is not overtaken: the snapshot waits for its barrier") {
  TwoChannels in(true);
  TwoChannels::send(in.b, ElementKind::kBatch, 1);
  REQUIRE_FALSE(in.gate.may_overtake(7));
  TwoChannels::send(in.b, ElementKind::kBarrier, 7);
  REQUIRE(in.next() == "row 1");
  REQUIRE(in.next() == "");
  REQUIRE(in.gate.may_overtake(7));
}

TEST_CASE("Restored rows come before those of their channel, behind the watermark that they had") {
  TwoChannels in;
  TwoChannels::send(in.a, ElementKind::kWatermark, 100);
  TwoChannels::send(in.a, ElementKind::kBatch, 3);
  ChannelRows a{{0, 0, 0}, false, {10, false}, {}};
  a.elements.push_back(element_of(ElementKind::kBatch, 1));
  a.elements.push_back(element_of(ElementKind::kWatermark, 20));
  a.elements.push_back(element_of(ElementKind::kBatch, 2));
  const ChannelRows b{{0, 1, 0}, false, {15, false}, {}};
  in.gate.restore({a, b});
  REQUIRE(in.next() == "watermark 10");
  REQUIRE(in.next() == "row 1");
  REQUIRE(in.next() == "watermark 15");
  REQUIRE(in.next() == "row 2");
  REQUIRE(in.next() == "row 3");
  REQUIRE(in.next() == "");
  TwoChannels::send(in.b, ElementKind::kWatermark, 90);
  REQUIRE(in.next() == "watermark 90");
}

TEST_CASE("A channel that was idle in the snapshot counts again behind its restored rows") {
  TwoChannels in;
  const ChannelRows a{{0, 0, 0}, false, {10, false}, {}};
  const ChannelRows b{{0, 1, 0}, false, {5, true}, {}};
  in.gate.restore({a, b});
  REQUIRE(in.next() == "watermark 10");
  TwoChannels::send(in.a, ElementKind::kWatermark, 50);
  REQUIRE(in.next() == "");  // `b` has a new producer, which has not said yet that it is idle
  TwoChannels::send(in.b, ElementKind::kIdle, 0);
  REQUIRE(in.next() == "watermark 50");
}

TEST_CASE("Restored rows that were not handled before the next barrier overtakes are recorded again") {
  TwoChannels in;
  ChannelRows a{{0, 0, 0}, false, {}, {}};
  a.elements.push_back(element_of(ElementKind::kBatch, 1));
  a.elements.push_back(element_of(ElementKind::kBatch, 2));
  in.gate.restore({a});
  TwoChannels::send(in.a, ElementKind::kBatch, 3);
  REQUIRE(in.next() == "row 1");
  in.gate.begin_snapshot(9);
  REQUIRE(in.a.overtake(9));
  REQUIRE(in.b.overtake(9));
  REQUIRE(in.gate.record());
  REQUIRE(in.recorded() == Recorded{{2, 3}, {}});
}

TEST_CASE("Rows in flight are written per edge and read by the subtask that they were on their way to") {
  const auto graph = mini_graph(3, false);
  const PhysicalPlan plan = make_physical_plan(*graph);
  const InFlightEdges edges = in_flight_edges(*graph, plan, plan.chains[1]);
  ChannelRows taken{{0, 2, 1}, false, {40, true}, {}};
  taken.elements.push_back(element_of(ElementKind::kBatch, 1));
  taken.elements.push_back(element_of(ElementKind::kWatermark, 50));
  ChannelRows queued{{0, 2, 1}, true, {50, false}, {}};
  queued.elements.push_back(element_of(ElementKind::kBatch, 2));
  ChannelRows other{{0, 1, 0}, true, {30, false}, {}};
  other.elements.push_back(element_of(ElementKind::kBatch, 3));
  MemorySnapshot snapshot;
  REQUIRE(in_flight_part({queued, other}, edges)->write(snapshot).has_value());
  REQUIRE(in_flight_part({taken}, edges)->write(snapshot).has_value());

  const auto mine = restored_in_flight(snapshot, 0, edges.at(0), 1, 3);
  REQUIRE(mine->size() == 1);
  REQUIRE(mine->front().key == ChannelKey{0, 2, 1});
  REQUIRE(mine->front().status.watermark == 40);
  REQUIRE(mine->front().status.idle);
  REQUIRE(mine->front().elements.size() == 3);
  REQUIRE(numbers_of(mine->front().elements[0].batch) == std::vector<int64_t>{1});
  REQUIRE(mine->front().elements[1].value == 50);
  REQUIRE(numbers_of(mine->front().elements[2].batch) == std::vector<int64_t>{2});
  REQUIRE(restored_in_flight(snapshot, 0, edges.at(0), 0, 3)->front().status.watermark == 30);
  REQUIRE(restored_in_flight(snapshot, 0, edges.at(0), 2, 3)->empty());
  REQUIRE(restored_in_flight(snapshot, 1, edges.at(1), 0, 3)->empty());
  REQUIRE(edges.at(0).state.layout.starts_with("hash from 3 subtasks of `numbers`, output 0, to 3; "));
  REQUIRE(edges.at(0).state.layout.ends_with(", n BIGINT"));
  REQUIRE(same_channels(*graph, *mini_graph(3, false)));
  REQUIRE_FALSE(same_channels(*graph, *mini_graph(2, false)));
}

}  // namespace millrace
