// `schema:` of a source: columns from entries such as `TIMESTAMP(3) NOT NULL FROM epoch_millis`, `STRING FROM path
// a.b`, `DECIMAL(10,2) AS price * 2`, `BIGINT METADATA offset`, `BIGINT SEQUENCE(1, 1000)`.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

/// Appends to `columns`; false when anything was reported (the columns are not complete then).
bool read_schema_columns(SpecContext& context, const Located& schema, const ConnectorDescriptor& connector,
                         std::vector<SourceColumn>& columns);

}  // namespace millrace
