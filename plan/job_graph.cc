#include "plan/job_graph.h"

#include <algorithm>

namespace millrace {

const Node* JobGraph::find(std::string_view id) const {
  auto found = std::ranges::find(nodes, id, &Node::id);
  return found == nodes.end() ? nullptr : &*found;
}

SchemaPtr source_dead_letter_schema() {
  static const SchemaPtr schema = std::make_shared<const Schema>(Schema{{
      {"source", make_string()},
      {"topic", make_string()},
      {"partition", make_type(TypeKind::kInt)},
      {"offset", make_type(TypeKind::kBigInt)},
      {"record_time", make_temporal(TypeKind::kTimestamp, 3)},
      {"key", make_type(TypeKind::kBytes)},
      {"raw", make_type(TypeKind::kBytes)},
      {"raw_text", make_string()},
      {"code", make_string()},
      {"error", make_string()},
      {"failed_at", make_temporal(TypeKind::kTimestamp, 3)},
  }});
  return schema;
}

SchemaPtr step_dead_letter_schema() {
  static const SchemaPtr schema = std::make_shared<const Schema>(Schema{{
      {"step", make_string()},
      {"code", make_string()},
      {"error", make_string()},
      {"failed_at", make_temporal(TypeKind::kTimestamp, 3)},
      {"row", make_string()},
  }});
  return schema;
}

}  // namespace millrace
