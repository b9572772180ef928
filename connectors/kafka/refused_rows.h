// Dead letters of a sink, as all sinks write them.
#pragma once

#include "connectors/json/refused_rows.h"
