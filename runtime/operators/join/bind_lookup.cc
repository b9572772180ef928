// `right:` of a look-up join: which table outside, its columns, its format, its secrets.
#include <fmt/format.h>

#include "core/environment.h"
#include "plan/option_reader.h"
#include "plan/secrets.h"
#include "runtime/operators/binding.h"
#include "runtime/operators/join/bind.h"

namespace millrace {
namespace {

std::vector<OptionDescriptor> lookup_table_fields() {
  OptionDescriptor name{.name = "name", .help = "The name by which `where` and `select` know the table."};
  name.default_text = "table";
  OptionDescriptor type{.name = "type", .required = true, .help = "The connector."};
  OptionDescriptor schema{.name = "schema", .kind = OptionKind::kTree, .required = true, .help = "Column: type."};
  OptionDescriptor format{.name = "format", .kind = OptionKind::kTree, .help = "Tables that are files: the format."};
  OptionDescriptor secrets{.name = "secrets", .kind = OptionKind::kTree, .help = "Fields given by a secret's name."};
  return {std::move(name), std::move(type), std::move(schema), std::move(format), std::move(secrets)};
}

class LookupBinder {
 public:
  LookupBinder(const BindContext& context, const Registry& registry, LookupConfig& table)
      : context_(context), registry_(registry), table_(table) {}

  bool bind(const Located& right, std::string& name) {
    Located filled = right;
    OptionReader head(right, "the table of a look-up", *context_.diagnostics);
    const OptionValues common = head.read(lookup_table_fields());
    name = common.text("name");
    table_.connector = common.text("type");
    if (table_.connector.empty()) return false;
    const auto found = registry_.factories.lookups.find(table_.connector);
    if (found == registry_.factories.lookups.end()) {
      std::vector<std::string_view> known;
      for (const auto& [key, one] : registry_.factories.lookups) known.push_back(key);
      return fail(ErrorCode::kUnknownConnector, common.located("type").position,
                  fmt::format("look-ups cannot ask `{}`", table_.connector),
                  fmt::format("they can ask: {}", fmt::join(known, ", ")));
    }
    if (!fill_secrets(found->second, common, filled)) return false;
    OptionReader reader(filled, "the table of a look-up", *context_.diagnostics);
    for (const OptionDescriptor& field : lookup_table_fields()) reader.accept(field.name);  // read above
    table_.options = reader.read(found->second.options);
    reader.finish();
    const bool formatted = !found->second.uses_format || read_table_format(common);
    return read_schema(common.located("schema")) && formatted && !context_.diagnostics->has_errors();
  }

 private:
  bool fail(ErrorCode code, Position at, std::string message, std::string help = {}) {
    context_.diagnostics->error(code, at, std::move(message), std::move(help));
    return false;
  }

  /// Secrets stay out of the file: it is stored with the job.
  bool fill_secrets(const LookupDescriptor& descriptor, const OptionValues& common, Located& filled) {
    for (const OptionDescriptor& option : descriptor.options) {
      const Located* bare = filled.find(option.name);
      if (!option.secret || bare == nullptr) continue;
      return fail(ErrorCode::kConnectorOption, bare->position,
                  fmt::format("`{}` is a secret and cannot stand in the file", option.name),
                  fmt::format("write `secrets: {{{}: name}}`", option.name));
    }
    if (!common.get("secrets").set) return true;
    for (const auto& entry : common.located("secrets").entries) {
      std::optional<std::string> secret = read_secret(entry.value.text, environment_variable);
      if (!secret) {
        return fail(ErrorCode::kUnknownVariable, entry.value.position,
                    fmt::format("the secret `{}` does not exist", entry.value.text), kMissingSecretHelp);
      }
      filled.entries.push_back({entry.key, entry.key_position, secret_value(std::move(*secret), entry.value.position)});
    }
    return true;
  }

  bool read_table_format(const OptionValues& common) {
    Located map = common.located("format");
    table_.format.name = map.is_scalar() ? map.text : "json";
    if (map.is_scalar()) map = Located{};
    if (const Located* type = map.find("type")) table_.format.name = type->text;
    const auto found = registry_.plan.formats.find(table_.format.name);
    if (found == registry_.plan.formats.end() || !found->second.can_decode) {
      return fail(ErrorCode::kUnknownConnector, common.located("format").position,
                  fmt::format("unknown format `{}`", table_.format.name));
    }
    OptionReader reader(map, "the format of a look-up", *context_.diagnostics);
    reader.accept("type");
    table_.format.options = reader.read(found->second.options);
    reader.finish();
    return true;
  }

  bool read_schema(const Located& columns) {
    auto schema = std::make_shared<Schema>();
    bool ok = !columns.entries.empty();
    if (!ok) fail(ErrorCode::kWrongShape, columns.position, "`schema` needs columns: `{id: BIGINT, name: STRING}`");
    for (const auto& entry : columns.entries) {
      auto type = parse_type(entry.value.text);
      if (!type) {
        ok = fail(ErrorCode::kUnknownType, entry.value.position, type.error().message);
        continue;
      }
      ok = add_output_field(context_, *schema, entry.key, *type, entry.key_position) && ok;
    }
    table_.schema = std::move(schema);
    return ok;
  }

  const BindContext& context_;
  const Registry& registry_;
  LookupConfig& table_;
};

}  // namespace

bool bind_lookup_table(const BindContext& context, const Registry& registry, const Located& right, LookupConfig& table,
                       std::string& name) {
  return LookupBinder(context, registry, table).bind(right, name);
}

void check_lookup_table(const BindContext& context, const Registry& registry, const LookupConfig& table, Position at) {
  const auto& check = registry.factories.lookups.find(table.connector)->second.check;
  if (check) check(table, at, *context.diagnostics);
}

}  // namespace millrace
