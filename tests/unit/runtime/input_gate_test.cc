#include "runtime/input_gate.h"

#include <catch2/catch.hpp>

#include "tests/unit/runtime/test_rows.h"

namespace millrace {

namespace {

struct TwoInputs {
  Channel a;
  Channel b;
  InputGate gate;
  GateEvent event;

  explicit TwoInputs(bool align = true) : gate(align) {
    gate.add(&a, 0);
    gate.add(&b, 1);
  }
  static void send(Channel& to, ElementKind kind, int64_t value = 0, bool final = false) {
    Element element;
    element.kind = kind;
    element.value = value;
    element.final = final;
    if (kind == ElementKind::kBatch) element.batch = numbers({value});
    REQUIRE(to.offer(element));
  }
  bool next(ElementKind kind) { return gate.next(event) && event.kind == kind; }
};

}  // namespace

TEST_CASE("A gate's watermark is the minimum over its channels and never goes back") {
  TwoInputs in;
  TwoInputs::send(in.a, ElementKind::kWatermark, 10);
  REQUIRE_FALSE(in.gate.next(in.event));
  TwoInputs::send(in.b, ElementKind::kWatermark, 5);
  REQUIRE(in.next(ElementKind::kWatermark));
  REQUIRE(in.event.value == 5);
  TwoInputs::send(in.b, ElementKind::kWatermark, 20);
  REQUIRE(in.next(ElementKind::kWatermark));
  REQUIRE(in.event.value == 10);
  TwoInputs::send(in.a, ElementKind::kWatermark, 3);
  REQUIRE_FALSE(in.gate.next(in.event));
}

TEST_CASE("An idle channel does not hold the watermark back") {
  TwoInputs in;
  TwoInputs::send(in.a, ElementKind::kWatermark, 10);
  TwoInputs::send(in.b, ElementKind::kIdle);
  REQUIRE(in.next(ElementKind::kWatermark));
  REQUIRE(in.event.value == 10);
  TwoInputs::send(in.a, ElementKind::kIdle);
  REQUIRE(in.next(ElementKind::kIdle));
  REQUIRE_FALSE(in.gate.next(in.event));
  TwoInputs::send(in.b, ElementKind::kActive);
  REQUIRE(in.next(ElementKind::kActive));
  REQUIRE_FALSE(in.gate.next(in.event));
}

TEST_CASE("All channels idle: the highest watermark counts, whichever turned idle last") {
  for (const bool holder_last : {false, true}) {
    TwoInputs in;
    TwoInputs::send(in.a, ElementKind::kWatermark, 10);
    TwoInputs::send(holder_last ? in.a : in.b, ElementKind::kIdle);
    TwoInputs::send(holder_last ? in.b : in.a, ElementKind::kIdle);
    REQUIRE(in.next(ElementKind::kWatermark));
    REQUIRE(in.event.value == 10);
    REQUIRE(in.next(ElementKind::kIdle));
    TwoInputs::send(in.a, ElementKind::kWatermark, 12);  // due before it turned idle, sent behind
    REQUIRE(in.next(ElementKind::kWatermark));
    REQUIRE(in.event.value == 12);
    REQUIRE_FALSE(in.gate.next(in.event));
  }
}

TEST_CASE("A gate ends when all channels have ended, behind the last watermark") {
  TwoInputs in;
  for (Channel* channel : {&in.a, &in.b}) {
    TwoInputs::send(*channel, ElementKind::kWatermark, kWatermarkMax);
    TwoInputs::send(*channel, ElementKind::kEnd);
  }
  REQUIRE(in.next(ElementKind::kWatermark));
  REQUIRE(in.event.value == kWatermarkMax);
  REQUIRE(in.next(ElementKind::kEnd));
  REQUIRE_FALSE(in.gate.next(in.event));
}

TEST_CASE("One ended channel neither raises the watermark to the end nor holds it back") {
  TwoInputs in;
  TwoInputs::send(in.a, ElementKind::kWatermark, kWatermarkMax);
  TwoInputs::send(in.a, ElementKind::kEnd);
  REQUIRE_FALSE(in.gate.next(in.event));
  TwoInputs::send(in.b, ElementKind::kWatermark, 7);
  REQUIRE(in.next(ElementKind::kWatermark));
  REQUIRE(in.event.value == 7);
}

TEST_CASE("Rows behind a barrier wait until every channel has delivered it") {
  TwoInputs in;
  TwoInputs::send(in.a, ElementKind::kBarrier, 1);
  TwoInputs::send(in.a, ElementKind::kBatch, 100);
  REQUIRE_FALSE(in.gate.next(in.event));
  REQUIRE(in.gate.aligning());
  TwoInputs::send(in.b, ElementKind::kBatch, 200);
  TwoInputs::send(in.b, ElementKind::kBarrier, 1, true);
  REQUIRE(in.next(ElementKind::kBatch));
  REQUIRE(in.event.input == 1);
  REQUIRE(numbers_of(in.event.batch) == std::vector<int64_t>{200});
  REQUIRE(in.next(ElementKind::kBarrier));
  REQUIRE(in.event.value == 1);
  REQUIRE(in.event.final);
  REQUIRE(in.next(ElementKind::kBatch));
  REQUIRE(numbers_of(in.event.batch) == std::vector<int64_t>{100});
}

TEST_CASE("Barriers still align after a channel has ended") {
  TwoInputs in;
  TwoInputs::send(in.a, ElementKind::kEnd);
  TwoInputs::send(in.a, ElementKind::kBarrier, 4);
  TwoInputs::send(in.b, ElementKind::kBarrier, 4);
  REQUIRE(in.next(ElementKind::kBarrier));
  REQUIRE(in.event.value == 4);
}

TEST_CASE("Without alignment rows pass barriers and the checkpoint is reached with the last of them") {
  TwoInputs in(false);
  TwoInputs::send(in.a, ElementKind::kBarrier, 1);
  TwoInputs::send(in.a, ElementKind::kBatch, 100);
  REQUIRE(in.next(ElementKind::kBatch));
  TwoInputs::send(in.b, ElementKind::kBarrier, 1);
  REQUIRE(in.next(ElementKind::kBarrier));
}

TEST_CASE("Channels of one producer are read in step") {
  Channel a;
  Channel b;
  InputGate gate;
  GateEvent event;
  gate.add(&a, 0, 7);
  gate.add(&b, 1, 7);
  TwoInputs::send(a, ElementKind::kWatermark, 10);
  TwoInputs::send(a, ElementKind::kBatch, 1);
  REQUIRE_FALSE(gate.next(event));  // the row came behind the watermark
  TwoInputs::send(b, ElementKind::kBatch, 2);
  TwoInputs::send(b, ElementKind::kWatermark, 10);
  REQUIRE(gate.next(event));
  REQUIRE(event.kind == ElementKind::kBatch);
  REQUIRE(event.input == 1);
  REQUIRE(gate.next(event));
  REQUIRE(event.kind == ElementKind::kWatermark);
  REQUIRE(event.value == 10);
  REQUIRE(gate.next(event));
  REQUIRE(event.kind == ElementKind::kBatch);
  REQUIRE(event.input == 0);
}

}  // namespace millrace
