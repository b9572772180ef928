#include "runtime/in_flight.h"

#include <algorithm>
#include <tuple>

#include "core/bytes.h"
#include "data/wire.h"

namespace millrace {

namespace {

/// Number 0 is the status, elements follow.
std::string row_key(const ChannelRows& rows, uint32_t number) {
  ByteWriter key;
  key.put(rows.key.from);
  key.put(rows.key.to);
  key.put(static_cast<uint8_t>(rows.queued ? 1 : 0));
  key.put(number);
  return key.take();
}

std::string encode_status(const ChannelStatus& status) {
  ByteWriter out;
  out.put(status.watermark);
  out.put(static_cast<uint8_t>(status.idle ? 1 : 0));
  return out.take();
}

std::string encode_element(const Element& element, const Schema& schema) {
  ByteWriter out;
  out.put(static_cast<uint8_t>(element.kind));
  out.put(element.value);
  if (element.kind == ElementKind::kBatch) out.put_raw(encode_batch(element.batch, schema));
  return out.take();
}

Result<Element> decode_element(std::string_view bytes, const Schema& schema) {
  ByteReader in(bytes);
  const auto kind = in.get<uint8_t>();
  Element element;
  element.kind = static_cast<ElementKind>(kind);
  element.value = in.get<int64_t>();
  if (!in.ok() || kind > static_cast<uint8_t>(ElementKind::kEnd)) {
    return make_error(ErrorCode::kCorruptState, "rows in flight cannot be read");
  }
  if (element.kind == ElementKind::kBatch) {
    MR_ASSIGN(element.batch, decode_batch(in.get_raw(in.left()), schema));
  }
  return element;
}

class InFlightPart final : public SnapshotPart {
 public:
  InFlightPart(std::vector<ChannelRows> rows, const InFlightEdges& edges) : rows_(std::move(rows)) {
    for (const ChannelRows& rows_of : rows_) edges_.emplace(rows_of.key.edge, edges.at(rows_of.key.edge));
  }

  Status write(SnapshotWriter& writer) override {
    for (const auto& [number, edge] : edges_) {
      MR_TRY(writer.begin(edge.state));
      for (const ChannelRows& rows : rows_) {
        if (rows.key.edge == number) MR_TRY(write(rows, *edge.schema, writer));
      }
    }
    return {};
  }

 private:
  static Status write(const ChannelRows& rows, const Schema& schema, SnapshotWriter& writer) {
    MR_TRY(writer.add(rows.key.to, row_key(rows, 0), encode_status(rows.status)));
    uint32_t number = 0;
    for (const Element& element : rows.elements) {
      MR_TRY(writer.add(rows.key.to, row_key(rows, ++number), encode_element(element, schema)));
    }
    return {};
  }

  std::vector<ChannelRows> rows_;
  InFlightEdges edges_;
};

/// Elements of one edge as they are found, in any order.
struct FoundRows {
  struct Place {
    uint32_t from = 0;
    uint8_t queued = 0;
    uint32_t number = 0;
    auto operator<=>(const Place&) const = default;
  };
  std::map<Place, Element> elements;
  std::map<std::pair<uint32_t, uint8_t>, ChannelStatus> statuses;  // by producer and side

  Status add(std::string_view key, std::string_view value, const Schema& schema) {
    ByteReader in(key);
    Place place;
    place.from = in.get<uint32_t>();
    in.get<uint32_t>();
    place.queued = in.get<uint8_t>();
    place.number = in.get<uint32_t>();
    if (!in.done()) return make_error(ErrorCode::kCorruptState, "rows in flight cannot be read");
    if (place.number != 0) {
      MR_ASSIGN(elements[place], decode_element(value, schema));
      return {};
    }
    ByteReader status(value);
    ChannelStatus& found = statuses[{place.from, place.queued}];
    found.watermark = status.get<int64_t>();
    found.idle = status.get<uint8_t>() != 0;
    if (status.done()) return {};
    return make_error(ErrorCode::kCorruptState, "rows in flight cannot be read");
  }
};

}  // namespace

InFlightEdges in_flight_edges(const JobGraph& graph, const PhysicalPlan& plan, const Chain& chain) {
  const std::vector<StateDescriptor> states = in_flight_states(graph, plan);
  InFlightEdges edges;
  for (const auto* numbers : {&chain.in_edges, &chain.out_edges}) {
    for (const uint32_t number : *numbers) {
      const PhysicalEdge& edge = plan.edges[number];
      edges[number] = {states[number], graph.nodes[edge.from_node].outputs[edge.port].schema};
    }
  }
  return edges;
}

SnapshotPartPtr in_flight_part(std::vector<ChannelRows> rows, const InFlightEdges& edges) {
  return std::make_unique<InFlightPart>(std::move(rows), edges);
}

Result<std::vector<ChannelRows>> restored_in_flight(const RestoredState& restored, uint32_t edge,
                                                    const InFlightEdge& described, uint32_t to, uint32_t parallelism) {
  FoundRows found;
  MR_TRY(restored.visit(described.state, {}, to, parallelism,
                        [&](uint32_t group, std::string_view key, std::string_view value) -> Status {
                          return group == to ? found.add(key, value, *described.schema) : Status{};
                        }));
  std::map<uint32_t, ChannelRows> channels;
  for (const auto& [side, status] : found.statuses) {
    // The consumer's, which comes first, wins.
    channels.try_emplace(side.first, ChannelRows{{edge, side.first, to}, false, status, {}});
  }
  for (auto& [place, element] : found.elements) channels[place.from].elements.push_back(std::move(element));
  std::vector<ChannelRows> out;
  for (auto& [from, rows] : channels) out.push_back(std::move(rows));
  return out;
}

}  // namespace millrace
