#include "jobmanager/task_manager_server.h"

#include <map>
#include <type_traits>

#include "core/log.h"
#include "jobmanager/rest/access.h"
#include "rpc/codec.h"
#include "rpc/frames.h"

namespace millrace {

struct TaskManagerServer::Impl {
  struct Peer {
    std::string address;
    RegisterTaskManager wish;
    bool asked = false;       // it has told who it is
    bool registered = false;  // and proved that it sees the storage
  };

  Impl(TaskManagerServerConfig c, Dispatcher& d) : config(std::move(c)), dispatcher(d) {}

  /// A file with a random text, where every task manager must be able to read it.
  Status write_nonce() {
    nonce = JobId::generate(*config.random).to_string();
    nonce_path = join_path(config.checkpoint_root, ".millrace-nonce-" + session.substr(0, 12));
    MR_ASSIGN(auto file, config.fs->create(nonce_path));
    MR_TRY(file->append(nonce));
    return file->close();
  }

  void send(ConnectionId connection, const FromJobManager& message) { server->send(connection, encode_frame(message)); }

  void refuse(ConnectionId connection, ErrorCode code, std::string message, std::string help, bool final) {
    log_warn("task manager refused", {{"address", peers[connection].address}, {"reason", message}});
    send(connection, RegistrationRefused{std::string(error_info(code).code), message, std::move(help), final});
    server->close(connection, "refused: " + message);
  }

  void received(ConnectionId connection, std::string_view frame) {
    const auto found = peers.find(connection);
    if (found == peers.end()) return;
    Result<FromTaskManager> message = decode_from_task_manager(frame);
    if (!message) {
      server->close(connection, message.error().message);
      return;
    }
    std::visit([&](auto& m) { handle(connection, found->second, m); }, *message);
  }

  void handle(ConnectionId connection, Peer& peer, RegisterTaskManager& wish) {
    peer.wish = std::move(wish);
    if (!config.tokens.empty() && !is_one_of_tokens(peer.wish.token, config.tokens)) {
      refuse(
          connection, ErrorCode::kRefusedByState, peer.wish.token.empty() ? "it brings no token" : "its token is wrong",
          "set `token_file` of the task manager to a file with a token of the job manager's `rest.token_file`", false);
      return;
    }
    peer.asked = true;
    if (peer.wish.version != config.version) {
      refuse(connection, ErrorCode::kRefusedByState,
             "it runs version " + peer.wish.version + ", the job manager " + config.version,
             "start the same version everywhere", true);
      return;
    }
    send(connection, ReadNonce{nonce_path});
  }

  void handle(ConnectionId connection, Peer& peer, const StorageNonce& answer) {
    if (!peer.asked || peer.registered) return;
    if (answer.content != nonce) {
      refuse(connection, ErrorCode::kMissingState,
             "it does not see the checkpoint storage of the job manager at " + config.checkpoint_root +
                 (answer.error.empty() ? "" : " (" + answer.error + ")"),
             "mount the same directory under the same path on every machine, or set checkpoint.dir to one that is",
             false);
      return;
    }
    peer.registered = true;
    TaskManagerView view;
    view.id = peer.wish.id;
    view.address = peer.address;
    view.data_address = peer.wish.data_address;
    view.rest_address = peer.wish.rest_address;
    view.version = peer.wish.version;
    view.slots = peer.wish.slots;
    view.memory_bytes = peer.wish.memory_bytes;
    view.registered_ms = view.last_heartbeat_ms = config.clock->wall_ms();
    log_info("task manager registered", {{"id", view.id}, {"address", view.address}, {"slots", view.slots}});
    send(connection, Registered{session});
    dispatcher.registered().add(std::move(view), [this, connection](ToTaskManager message) {
      std::visit([&](auto& m) { send(connection, FromJobManager(std::move(m))); }, message);
    });
  }

  void handle(ConnectionId, Peer& peer, MetricsReport& report) {
    if (peer.registered) {
      dispatcher.registered().report(peer.wish.id, std::move(report.samples), config.clock->wall_ms());
    }
  }

  template <class M>
    requires(std::is_constructible_v<ToJobManager, M>)
  void handle(ConnectionId, Peer& peer, M& message) {
    if (peer.registered) dispatcher.received(peer.wish.id, ToJobManager(std::move(message)));
  }

  void closed(ConnectionId connection, const std::string& reason) {
    const auto found = peers.find(connection);
    if (found == peers.end()) return;
    const Peer peer = std::move(found->second);
    peers.erase(found);
    if (!peer.registered) return;
    log_warn("task manager lost", {{"id", peer.wish.id}, {"address", peer.address}, {"reason", reason}});
    dispatcher.task_manager_lost(peer.wish.id, reason);
  }

  TaskManagerServerConfig config;
  Dispatcher& dispatcher;
  std::string session;
  std::string nonce;
  std::string nonce_path;
  std::map<ConnectionId, Peer> peers;  // the server's thread only
  std::unique_ptr<FrameServer> server;
};

TaskManagerServer::TaskManagerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TaskManagerServer::~TaskManagerServer() {
  // The entries of the pool send through this server.
  for (const TaskManagerView& view : impl_->dispatcher.task_managers()) {
    (void)impl_->dispatcher.registered().remove(view.id);
  }
  impl_->server.reset();
  (void)impl_->config.fs->remove(impl_->nonce_path);
}

Result<std::unique_ptr<TaskManagerServer>> TaskManagerServer::start(TaskManagerServerConfig config,
                                                                    Dispatcher& dispatcher) {
  auto impl = std::make_unique<Impl>(std::move(config), dispatcher);
  Impl* self = impl.get();
  self->session = JobId::generate(*self->config.random).to_string();
  MR_TRY(self->write_nonce());
  FrameOptions options;
  options.silence_ms = self->config.silence_ms;
  FrameServer::Events events;
  events.opened = [self](ConnectionId id, const std::string& peer) { self->peers[id].address = peer; };
  events.received = [self](ConnectionId id, std::string_view frame) { self->received(id, frame); };
  events.closed = [self](ConnectionId id, const std::string& reason) { self->closed(id, reason); };
  MR_ASSIGN(self->server, FrameServer::listen(self->config.bind, self->config.port, options, std::move(events)));
  self->server->start();
  return std::unique_ptr<TaskManagerServer>(new TaskManagerServer(std::move(impl)));
}

uint16_t TaskManagerServer::port() const { return impl_->server->port(); }

}  // namespace millrace
