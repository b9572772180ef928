// The running face of a registration: how a task makes the parts that the plan describes. One Registry per process,
// filled at start by register_<name>(Registry&) of every folder, read only afterwards.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "plan/registry.h"
#include "runtime/spi/exactly_once.h"
#include "runtime/spi/format.h"
#include "runtime/spi/lookup.h"
#include "runtime/spi/operator.h"
#include "runtime/spi/sink.h"
#include "runtime/spi/source.h"

namespace millrace {

struct Registry;

struct Factories {
  std::map<std::string, std::function<Result<SourceReaderPtr>(const SourceConfig&, const Registry&)>, std::less<>>
      sources;
  std::map<std::string, std::function<Result<SinkWriterPtr>(const SinkConfig&, const Registry&)>, std::less<>> sinks;
  /// Targets for `delivery: exactly_once`; null: this configuration writes exactly once by itself, through `sinks`.
  std::map<std::string, std::function<Result<ExactlyOnceTargetPtr>(const SinkConfig&, const Registry&)>, std::less<>>
      exactly_once;
  /// `columns` are the used physical columns, in order.
  std::map<std::string, std::function<Result<DecoderPtr>(const FormatConfig&, const std::vector<DecodeColumn>&)>,
           std::less<>>
      decoders;
  /// `changelog` other than append adds the field `op` in front of line formats.
  std::map<std::string, std::function<Result<EncoderPtr>(const FormatConfig&, const SchemaPtr&, Changelog)>,
           std::less<>>
      encoders;
  std::map<std::string, std::function<Result<OperatorPtr>(const Node&, const JobGraph&)>, std::less<>> operators;
  /// Tables that `join: {kind: lookup}` asks; both faces, because only that operator reads them.
  std::map<std::string, LookupDescriptor, std::less<>> lookups;
};

struct Registry {
  PlanRegistry plan;
  Factories factories;
};

}  // namespace millrace
