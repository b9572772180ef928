#include "taskmanager/network/data_network.h"

#include <unistd.h>

#include <set>

#include "taskmanager/network/network_hub.h"

namespace millrace {

namespace {

/// The channels of one attempt: registers ends, then hands them to the hub.
class JobChannels final : public RemoteChannels {
 public:
  JobChannels(NetworkHub& hub, FrameIo& io, const DataNetworkOptions& options, NetworkJob job)
      : hub_(hub), io_(io), options_(options), link_(std::make_shared<JobLink>()) {
    link_->job = std::move(job);
  }
  ~JobChannels() override {
    io_.run([this] { hub_.detach(link_); });
  }

  ChannelOutput* output(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* producer) override {
    auto end = std::make_shared<RemoteOutput>(std::move(schema), producer, options_.compression, damage(member));
    link_->peers[member].outputs[key] = end;
    return end.get();
  }
  ChannelInput* input(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* consumer) override {
    auto end = std::make_shared<RemoteInput>(std::move(schema), consumer, options_.window, damage(member));
    link_->peers[member].inputs.push_back({key, end});
    return end.get();
  }
  void align(std::shared_ptr<SourceAlignment> alignment, const std::vector<uint32_t>& members) override {
    link_->alignment = std::move(alignment);
    for (const uint32_t member : members) link_->peers[member].aligned = true;
  }
  void open() override {
    io_.post([&hub = hub_, link = link_] { hub.attach(link); });
  }

 private:
  /// Damaged rows end the connection they came on.
  ChannelDamage damage(uint32_t member) {
    return [&hub = hub_, &io = io_, peer = link_->member(member).task_manager](const std::string& why) {
      io.post([&hub, peer, why] { hub.drop(peer, why); });
    };
  }

  NetworkHub& hub_;
  FrameIo& io_;
  const DataNetworkOptions& options_;
  JobLinkPtr link_;
};

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

Status check_members(const NetworkJob& job, const std::string& id) {
  const auto bad = [](const std::string& what) { return make_error(ErrorCode::kBadMessage, "a deployment " + what); };
  if (job.self >= job.members.size()) return bad("does not say which member this is");
  std::set<std::string> ids;
  for (const JobMember& member : job.members) {
    if (!ids.insert(member.task_manager).second) return bad("names `" + member.task_manager + "` twice");
  }
  if (job.members[job.self].task_manager != id) {
    return bad("for `" + job.members[job.self].task_manager + "` reached `" + id + "`");
  }
  return {};
}

}  // namespace

struct DataNetwork::Impl {
  explicit Impl(DataNetworkOptions given) : options(std::move(given)) {}

  void register_metrics() {
    if (options.metrics == nullptr) return;
    metrics = options.metrics->callback([this](std::vector<MetricSample>& samples) {
      const auto add = [&](const char* name, const char* help, MetricKind kind, Labels labels, uint64_t value) {
        samples.push_back({name, help, kind, std::move(labels), static_cast<double>(value)});
      };
      const FrameTraffic traffic = io->traffic();
      const char* bytes = "Bytes on connections to other task managers.";
      add("millrace_network_bytes_total", bytes, MetricKind::kCounter, {{"direction", "sent"}}, traffic.sent_bytes);
      add("millrace_network_bytes_total", bytes, MetricKind::kCounter, {{"direction", "received"}},
          traffic.received_bytes);
      add("millrace_network_stale_frames_total", "Frames of attempts that are gone, dropped.", MetricKind::kCounter, {},
          hub->stale_frames());
      add("millrace_network_connections", "Connections to other task managers.", MetricKind::kGauge, {},
          hub->connections());
    });
  }

  const DataNetworkOptions options;
  std::unique_ptr<NetworkHub> hub;
  std::unique_ptr<FrameIo> io;    // ends before the hub
  std::shared_ptr<void> metrics;  // ends before the io
};

DataNetwork::DataNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DataNetwork::~DataNetwork() = default;

Result<std::unique_ptr<DataNetwork>> DataNetwork::start(DataNetworkOptions options) {
  if (options.id.empty()) return make_error(ErrorCode::kBadValue, "a task manager needs an id");
  auto impl = std::make_unique<Impl>(std::move(options));
  MR_ASSIGN(impl->io, FrameIo::listen(impl->options.bind, impl->options.port));
  impl->hub = std::make_unique<NetworkHub>(impl->options, *impl->io);
  impl->io->start([&hub = *impl->hub](FrameConnectionPtr connection) { hub.accepted(std::move(connection)); });
  impl->register_metrics();
  return std::unique_ptr<DataNetwork>(new DataNetwork(std::move(impl)));
}

std::string DataNetwork::address() const {
  const DataNetworkOptions& options = impl_->options;
  std::string host = options.advertised_host.empty() ? options.bind : options.advertised_host;
  if (host == "0.0.0.0" || host == "::") host = host_name();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return host + ":" + std::to_string(impl_->io->port());
}

Result<std::unique_ptr<RemoteChannels>> DataNetwork::join(NetworkJob job) {
  MR_TRY(check_members(job, impl_->options.id));
  return std::make_unique<JobChannels>(*impl_->hub, *impl_->io, impl_->options, std::move(job));
}

uint64_t DataNetwork::stale_frames() const { return impl_->hub->stale_frames(); }
uint64_t DataNetwork::connections() const { return impl_->hub->connections(); }

}  // namespace millrace
