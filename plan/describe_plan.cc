// `millrace plan`: the planned job as text, as a graph for dot, and as JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "plan/option_text.h"
#include "plan/physical_plan.h"
#include "plan/plan_facts.h"
#include "plan/planner.h"
#include "plan/spec/sinks.h"

namespace millrace {

namespace {

using PlanJson = nlohmann::ordered_json;

std::string_view restart_name(RestartSettings::Strategy strategy) {
  switch (strategy) {
    case RestartSettings::Strategy::kNone:
      return "none";
    case RestartSettings::Strategy::kFixed:
      return "fixed";
    case RestartSettings::Strategy::kFailureRate:
      return "failure_rate";
    case RestartSettings::Strategy::kExponential:
      return "exponential";
  }
  return "unknown";
}

std::string settings_text(const JobSettings& settings) {
  return fmt::format("parallelism {}, max_parallelism {}, checkpoint every {} ({}), restart {}", settings.parallelism,
                     settings.max_parallelism, format_duration(settings.checkpoint.interval_ms),
                     settings.checkpoint.exactly_once ? "exactly_once" : "at_least_once",
                     restart_name(settings.restart.strategy));
}

std::string key_text(const SinkConfig& sink) {
  std::string names;
  for (uint32_t column : sink.key) names += (names.empty() ? "" : ", ") + sink.schema->fields[column].name;
  return names;
}

std::string schema_text(const Schema& schema) {
  std::string text;
  for (const Field& field : schema.fields) {
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", field.name, field.type->to_string(),
                        field.type->nullable ? "" : " NOT NULL");
  }
  return text;
}

// ---- text

class PlanText {
 public:
  explicit PlanText(const JobGraph& graph) : graph_(graph), plan_(make_physical_plan(graph)) {}

  std::string write() {
    out_ = fmt::format("job {}\n{}\n", graph_.name, settings_text(graph_.settings));
    for (size_t i = 0; i < plan_.chains.size(); ++i) chain(i);
    return std::move(out_);
  }

 private:
  void chain(size_t number) {
    const Chain& chain = plan_.chains[number];
    out_ += fmt::format("\nchain {}, {} subtask{}\n", number + 1, chain.parallelism, chain.parallelism == 1 ? "" : "s");
    for (uint32_t index : chain.nodes) node(graph_.nodes[index]);
    for (uint32_t index : chain.out_edges) {
      const PhysicalEdge& edge = plan_.edges[index];
      const Node& from = graph_.nodes[edge.from_node];
      const Node& to = graph_.nodes[edge.to_node];
      const std::string& port = from.outputs[edge.port].name;
      out_ += fmt::format("  -> {}{}{} {} to {} (chain {})\n", from.id, port.empty() ? "" : ".", port,
                          exchange_text(graph_, to, to.inputs[edge.to_input]), to.id, edge.to_chain + 1);
    }
  }

  void node(const Node& node) {
    out_ += fmt::format("  {} {}: {}", node_kind_name(node.kind), node.id, node.type);
    if (node.kind != NodeKind::kSink) out_ += fmt::format(", {}", changelog_name(node.outputs[0].changelog));
    if (node.stateful) out_ += ", keeps state";
    if (node.kind == NodeKind::kSource) source(*node.source);
    if (node.kind == NodeKind::kOperator) out_ += node.detail.empty() ? "\n" : fmt::format("\n    {}\n", node.detail);
    if (node.kind == NodeKind::kSink) sink(node);
    if (node.kind != NodeKind::kSink) out_ += fmt::format("    columns: {}\n", schema_text(*node.outputs[0].schema));
  }

  void source(const SourceConfig& source) {
    out_ += fmt::format("{}{}, {}\n", source.format.name.empty() ? "" : ", ", source.format.name,
                        columns_read_text(source));
    out_ += fmt::format("    watermark: {}\n", watermark_text(source));
  }

  void sink(const Node& node) {
    out_ += fmt::format(", takes {}, delivery {}", changelog_name(node.sink->changelog),
                        delivery_name(node.sink->delivery));
    if (!node.sink->key.empty()) out_ += fmt::format(", key {}", key_text(*node.sink));
    out_ += fmt::format("\n    expected delay: {}\n", delay_text(output_delay(graph_, node)));
  }

  const JobGraph& graph_;
  const PhysicalPlan plan_;
  std::string out_;
};

// ---- dot

std::string dot_quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string dot_plan(const JobGraph& graph) {
  const PhysicalPlan plan = make_physical_plan(graph);
  std::string out = fmt::format("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", dot_quote(graph.name));
  for (size_t i = 0; i < plan.chains.size(); ++i) {
    out += fmt::format("  subgraph cluster_{} {{\n    label={};\n", i,
                       dot_quote(fmt::format("chain {} x{}", i + 1, plan.chains[i].parallelism)));
    for (uint32_t index : plan.chains[i].nodes) {
      const Node& node = graph.nodes[index];
      out += fmt::format("    n{} [label={}{}];\n", index,
                         dot_quote(fmt::format("{}\n{} {}", node.id, node_kind_name(node.kind), node.type)),
                         node.stateful ? ", style=bold" : "");
    }
    out += "  }\n";
  }
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    for (const NodeInput& input : node.inputs) {
      const std::string& port = graph.nodes[input.node].outputs[input.port].name;
      const std::string label = exchange_text(graph, node, input) + (port.empty() ? "" : "\n." + port);
      out += fmt::format("  n{} -> n{} [label={}];\n", input.node, index, dot_quote(label));
    }
  }
  return out + "}\n";
}

// ---- json

PlanJson json_inputs(const JobGraph& graph, const Node& node) {
  PlanJson inputs = PlanJson::array();
  for (const NodeInput& input : node.inputs) {
    const Node& from = graph.nodes[input.node];
    PlanJson json{{"from", from.id}, {"output", from.outputs[input.port].name}};
    json["partitioning"] = input.partitioning == Partitioning::kForward && from.parallelism != node.parallelism
                               ? "rebalance"
                               : partitioning_name(input.partitioning);
    PlanJson keys = PlanJson::array();
    for (uint32_t column : input.key_columns) keys.push_back(from.outputs[input.port].schema->fields[column].name);
    if (!keys.empty()) json["key"] = std::move(keys);
    inputs.push_back(std::move(json));
  }
  return inputs;
}

PlanJson json_outputs(const Node& node) {
  PlanJson outputs = PlanJson::array();
  for (const Port& port : node.outputs) {
    PlanJson columns = PlanJson::array();
    for (const Field& field : port.schema->fields) {
      columns.push_back({{"name", field.name}, {"type", field.type->to_string()}, {"nullable", field.type->nullable}});
    }
    outputs.push_back({{"name", port.name}, {"changelog", changelog_name(port.changelog)}, {"columns", columns}});
  }
  return outputs;
}

PlanJson json_node(const JobGraph& graph, const Node& node, uint32_t chain) {
  PlanJson json{{"id", node.id}, {"kind", node_kind_name(node.kind)}, {"type", node.type}};
  json["parallelism"] = node.parallelism;
  json["chain"] = chain;
  json["stateful"] = node.stateful;
  if (!node.detail.empty()) json["detail"] = node.detail;
  if (!node.inputs.empty()) json["inputs"] = json_inputs(graph, node);
  if (!node.outputs.empty()) json["outputs"] = json_outputs(node);
  if (node.kind == NodeKind::kSource) {
    json["watermark"] = watermark_text(*node.source);
    json["bounded"] = node.source->bounded;
    PlanJson used = PlanJson::array();
    for (const SourceColumn& column : node.source->columns) {
      if (column.used) used.push_back(column.name);
    }
    json["columns_read"] = std::move(used);
  }
  if (node.kind == NodeKind::kSink) {
    json["changelog"] = changelog_name(node.sink->changelog);
    json["delivery"] = delivery_name(node.sink->delivery);
    PlanJson keys = PlanJson::array();
    for (uint32_t column : node.sink->key) keys.push_back(node.sink->schema->fields[column].name);
    if (!keys.empty()) json["key"] = std::move(keys);
    json["expected_delay_ms"] = output_delay(graph, node).total_ms();
  }
  return json;
}

std::string json_plan(const JobGraph& graph) {
  const PhysicalPlan plan = make_physical_plan(graph);
  const JobSettings& settings = graph.settings;
  PlanJson json{{"name", graph.name}};
  json["settings"] = {{"parallelism", settings.parallelism},
                      {"max_parallelism", settings.max_parallelism},
                      {"checkpoint_interval_ms", settings.checkpoint.interval_ms},
                      {"checkpoint_mode", settings.checkpoint.exactly_once ? "exactly_once" : "at_least_once"},
                      {"restart", restart_name(settings.restart.strategy)}};
  PlanJson nodes = PlanJson::array();
  for (uint32_t i = 0; i < graph.nodes.size(); ++i)
    nodes.push_back(json_node(graph, graph.nodes[i], plan.chain_of_node[i]));
  json["nodes"] = std::move(nodes);
  PlanJson chains = PlanJson::array();
  for (const Chain& chain : plan.chains) {
    PlanJson ids = PlanJson::array();
    for (uint32_t index : chain.nodes) ids.push_back(graph.nodes[index].id);
    chains.push_back({{"nodes", std::move(ids)}, {"parallelism", chain.parallelism}});
  }
  json["chains"] = std::move(chains);
  return json.dump(2, ' ', false, PlanJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string describe_plan(const JobGraph& graph, std::string_view format) {
  if (format == "dot") return dot_plan(graph);
  if (format == "json") return json_plan(graph);
  return PlanText(graph).write();
}

}  // namespace millrace
