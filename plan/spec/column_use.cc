#include "plan/spec/column_use.h"

namespace millrace {

namespace {

using ColumnSet = std::vector<bool>;

void add_columns(ColumnSet& set, const ColumnSet& more) {
  for (size_t i = 0; i < set.size() && i < more.size(); ++i) set[i] = set[i] || more[i];
}
void add_columns(ColumnSet& set, const std::vector<uint32_t>& more) {
  for (uint32_t column : more) set[column] = true;
}

class UseAnalysis {
 public:
  explicit UseAnalysis(SpecContext& context) : context_(context), nodes_(context.graph.nodes) {
    for (const Node& node : nodes_) {
      needed_.emplace_back();
      for (const Port& port : node.outputs) needed_.back().emplace_back(port.schema->size(), false);
    }
  }

  void run() {
    for (size_t i = nodes_.size(); i-- > 0;) {
      if (nodes_[i].kind == NodeKind::kSource) {
        mark_source(i);
      } else {
        for (uint32_t input = 0; input < nodes_[i].inputs.size(); ++input) pass_on(i, input);
      }
    }
  }

 private:
  void pass_on(size_t index, uint32_t number) {
    const Node& node = nodes_[index];
    const NodeInput& input = node.inputs[number];
    ColumnSet& wanted = needed_[input.node][input.port];
    const auto& reads = context_.reads[index];
    if (node.kind == NodeKind::kSink || !reads || dead_letters_are_read(index)) {
      wanted.assign(wanted.size(), true);
      return;
    }
    if (number < reads->size()) add_columns(wanted, (*reads)[number]);
    add_columns(wanted, input.key_columns);
    for (size_t port = 0; port < node.outputs.size(); ++port) {
      const Port& output = node.outputs[port];
      const bool rows_of_input = output.schema == nodes_[input.node].outputs[input.port].schema;
      const bool same_rows = port == 0 ? context_.passes_through[index] : rows_of_input || output.name == "late";
      if (same_rows) add_columns(wanted, needed_[index][port]);
      // Other side outputs: the operator's `reads` covers them.
    }
  }

  /// A step's dead letters hold the whole row.
  [[nodiscard]] bool dead_letters_are_read(size_t index) const {
    if (nodes_[index].on_error != OnError::kDeadLetter) return false;
    const ColumnSet& letters = needed_[index].back();
    return std::find(letters.begin(), letters.end(), true) != letters.end();
  }

  void mark_source(size_t index) {
    auto config = std::make_shared<SourceConfig>(*nodes_[index].source);
    ColumnSet used = needed_[index][0];
    for (size_t port = 1; port < nodes_[index].outputs.size(); ++port) {
      if (nodes_[index].outputs[port].name == "ahead") add_columns(used, needed_[index][port]);
    }
    std::vector<SourceColumn>& columns = config->columns;
    if (config->event_time.column >= 0) used[static_cast<size_t>(config->event_time.column)] = true;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!columns[i].type->nullable) used[i] = true;
    }
    for (size_t i = columns.size(); i-- > 0;) {  // computed columns read columns before them or plain ones
      if (!used[i] || !columns[i].computed) continue;
      std::vector<uint32_t> read;
      collect_columns(*columns[i].computed, read);
      add_columns(used, read);
    }
    for (size_t i = 0; i < columns.size(); ++i) columns[i].used = used[i];
    nodes_[index].source = std::move(config);
  }

  SpecContext& context_;
  std::vector<Node>& nodes_;
  std::vector<std::vector<ColumnSet>> needed_;  // per node and port
};

}  // namespace

void mark_used_columns(SpecContext& context) { UseAnalysis(context).run(); }

}  // namespace millrace
