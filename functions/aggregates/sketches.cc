// APPROX_COUNT_DISTINCT: HyperLogLog with 4096 registers, standard error 1.6 %. APPROX_PERCENTILE(x, p): a merging
// t-digest (Dunning and Ertl, 2019) of at most 200 centroids; exact up to some hundred values, closest at both ends.
// Both live inside the state row with a fixed width, merge in any order, and are stored in a portable form.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "functions/aggregates/distinct.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"
#include "functions/aggregates/value_bytes.h"

namespace millrace {

namespace {

class HyperLogLog final : public AggregateFunction {
 public:
  static constexpr unsigned kIndexBits = 12;
  static constexpr uint32_t kRegisters = 1U << kIndexBits;

  explicit HyperLogLog(std::span<const TypePtr> types) : values_(types) {}

  [[nodiscard]] uint32_t bytes() const override { return kRegisters; }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    const EncodedKeys& encoded = values_.encode(in.args, in.rows);
    for (size_t i = 0; i < in.rows.size(); ++i) {
      const uint32_t row = in.rows[i];
      if (std::ranges::any_of(in.args, [row](const ColumnPtr& arg) { return arg->is_null(row); })) continue;
      const uint64_t hash = encoded.hashes[i];
      const uint64_t rest = (hash << kIndexBits) | (uint64_t{1} << (kIndexBits - 1));  // the mark ends the zeros
      auto& held = reinterpret_cast<uint8_t&>(in.states[i][hash >> (64 - kIndexBits)]);
      held = std::max(held, static_cast<uint8_t>(std::countl_zero(rest) + 1));
    }
  }

  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    for (uint32_t i = 0; i < kRegisters; ++i) into[i] = std::max(into[i], from[i]);
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    int64_t* values = out.values<int64_t>() + first_row;
    for (size_t i = 0; i < states.size(); ++i) values[i] = estimate(states[i]);
  }

  void save(const char* state, ByteWriter& out) const override { out.put_raw({state, kRegisters}); }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    const std::string_view registers = in.get_raw(kRegisters);
    if (!in.ok()) return truncated_state();
    std::ranges::copy(registers, state);
    return {};
  }

 private:
  static int64_t estimate(const char* registers) {
    double sum = 0;
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < kRegisters; ++i) {
      sum += std::ldexp(1.0, -int{registers[i]});
      zeros += registers[i] == 0 ? 1 : 0;
    }
    constexpr double kCount = kRegisters;
    const double raw = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
    // Few values: counting empty registers is closer.
    const double value = raw <= 2.5 * kCount && zeros > 0 ? kCount * std::log(kCount / zeros) : raw;
    return std::llround(value);
  }

  ValueBytes values_;
};

class TDigest final : public AggregateFunction {
 public:
  struct Centroid {
    double mean;
    double weight;
  };
  static constexpr double kCompression = 200;  // no more centroids than this
  static constexpr uint32_t kCentroids = 224;
  static constexpr uint32_t kBuffer = 64;
  struct State {
    double fraction;  // which percentile
    double least;
    double greatest;
    uint32_t centroids;
    uint32_t buffered;
    Centroid merged[kCentroids];  // by mean
    double buffer[kBuffer];       // values not merged yet
  };

  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    const auto* fractions = in.args[1]->values<double>();
    each_value<double>(in, [&](char* bytes, double value, size_t i, int64_t /*sign*/) {
      if (std::isnan(value)) return;
      auto& state = state_of<State>(bytes);
      state.fraction = fractions[in.rows[i]];
      add_extremes(state, value, value);
      state.buffer[state.buffered++] = value;
      if (state.buffered == kBuffer) compress(state, {});
    });
  }

  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    const auto& other = state_of<State>(from);
    auto& state = state_of<State>(into);
    if (empty(other)) return;
    std::vector<Centroid> more(other.merged, other.merged + other.centroids);
    for (uint32_t i = 0; i < other.buffered; ++i) more.push_back({other.buffer[i], 1});
    add_extremes(state, other.least, other.greatest);
    state.fraction = other.fraction;
    compress(state, more);
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& errors) override {
    for (size_t i = 0; i < states.size(); ++i) {
      State state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      out.values<double>()[row] = 0;
      if (empty(state)) {
        out.set_null(row);
      } else if (state.fraction >= 0 && state.fraction <= 1) {
        out.values<double>()[row] = quantile(state);
      } else {
        errors.add(row, "APPROX_PERCENTILE: the percentile lies between 0 and 1");
        out.set_null(row);
      }
    }
  }

  void save(const char* bytes, ByteWriter& out) const override {
    const auto& state = state_of<State>(bytes);
    out.put(state.fraction);
    out.put(state.least);
    out.put(state.greatest);
    out.put(state.centroids);
    out.put(state.buffered);
    for (uint32_t i = 0; i < state.centroids; ++i) out.put(state.merged[i]);
    for (uint32_t i = 0; i < state.buffered; ++i) out.put(state.buffer[i]);
  }
  Status load(ByteReader& in, char* bytes, BlobPool& /*blobs*/) const override {
    auto& state = state_of<State>(bytes);
    state.fraction = in.get<double>();
    state.least = in.get<double>();
    state.greatest = in.get<double>();
    state.centroids = in.get<uint32_t>();
    state.buffered = in.get<uint32_t>();
    if (!in.ok() || state.centroids > kCentroids || state.buffered >= kBuffer) return truncated_state();
    for (uint32_t i = 0; i < state.centroids; ++i) state.merged[i] = in.get<Centroid>();
    for (uint32_t i = 0; i < state.buffered; ++i) state.buffer[i] = in.get<double>();
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  static bool empty(const State& state) { return state.centroids == 0 && state.buffered == 0; }

  static void add_extremes(State& state, double least, double greatest) {
    const bool first = empty(state);
    state.least = first ? least : std::min(state.least, least);
    state.greatest = first ? greatest : std::max(state.greatest, greatest);
  }

  /// The scale that lets centroids near both ends hold few values.
  static double place(double quantile) {
    return kCompression / (2 * std::numbers::pi) * std::asin(std::clamp(2 * quantile - 1, -1.0, 1.0));
  }

  static void compress(State& state, const std::vector<Centroid>& more) {
    std::vector<Centroid> all(state.merged, state.merged + state.centroids);
    for (uint32_t i = 0; i < state.buffered; ++i) all.push_back({state.buffer[i], 1});
    all.insert(all.end(), more.begin(), more.end());
    std::ranges::stable_sort(all, {}, &Centroid::mean);
    double total = 0;
    for (const Centroid& one : all) total += one.weight;
    state.buffered = 0;
    state.centroids = 0;
    double before = 0;  // weight of finished centroids
    for (const Centroid& one : all) {
      if (state.centroids > 0) {
        Centroid& last = state.merged[state.centroids - 1];
        const double together = last.weight + one.weight;
        if (place((before + together) / total) - place(before / total) <= 1 || state.centroids == kCentroids) {
          last.mean += (one.mean - last.mean) * one.weight / together;
          last.weight = together;
          continue;
        }
        before += last.weight;
      }
      state.merged[state.centroids++] = one;
    }
  }

  static double quantile(State& state) {
    compress(state, {});
    double total = 0;
    for (uint32_t i = 0; i < state.centroids; ++i) total += state.merged[i].weight;
    const double wanted = state.fraction * total;
    double left_place = 0;
    double left_value = state.least;
    double before = 0;
    for (uint32_t i = 0; i < state.centroids; ++i) {
      const double center = before + state.merged[i].weight / 2;
      if (wanted < center) return between(left_place, left_value, center, state.merged[i].mean, wanted);
      left_place = center;
      left_value = state.merged[i].mean;
      before += state.merged[i].weight;
    }
    return between(left_place, left_value, total, state.greatest, wanted);
  }

  static double between(double from, double low, double to, double high, double at) {
    return to <= from ? high : low + (high - low) * (at - from) / (to - from);
  }
};

std::unique_ptr<AggregateFunction> make_hyper_log_log(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                      bool /*distinct*/, const void* /*bound*/) {
  return std::make_unique<HyperLogLog>(types);
}

std::unique_ptr<AggregateFunction> make_t_digest(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                 bool distinct, const void* /*bound*/) {
  auto digest = std::make_unique<TDigest>();
  if (!distinct) return digest;
  return make_distinct(types, std::move(digest));
}

Result<ResolvedCall> resolve_count(std::span<const TypePtr> types) {
  MR_TRY(one_argument("APPROX_COUNT_DISTINCT", types));
  return ResolvedCall{make_type(TypeKind::kBigInt, false), {types[0]}, nullptr};
}

Result<ResolvedCall> resolve_percentile(std::span<const TypePtr> types) {
  if (types.size() != 2) {
    return make_error(ErrorCode::kTypeMismatch, "APPROX_PERCENTILE takes a number and a percentile from 0 to 1");
  }
  for (const TypePtr& type : types) {
    if (!type->is_numeric()) return wrong_argument("APPROX_PERCENTILE", *type, "a number");
  }
  const TypePtr number = make_type(TypeKind::kDouble);
  return ResolvedCall{number, {number, number}, nullptr};
}

}  // namespace

void register_sketches(FunctionRegistry& functions) {
  add_aggregate(functions, "APPROX_COUNT_DISTINCT", "Number of different values, within a few percent (HyperLogLog).",
                resolve_count, make_hyper_log_log);
  add_aggregate(functions, "APPROX_PERCENTILE",
                "The value below which a fraction of the values lies: APPROX_PERCENTILE(x, 0.95) (t-digest).",
                resolve_percentile, make_t_digest);
}

}  // namespace millrace
