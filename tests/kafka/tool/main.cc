// millrace_kafka_tool: what tests need of a broker without starting a JVM for each call: topics, records in (also in
// transactions, with tombstones, timestamps and headers), records out as JSON lines, positions. Not part of the
// product.
//
//   create BROKERS TOPIC [PARTITIONS [name=value ...]]     delete BROKERS TOPIC
//   partitions BROKERS TOPIC COUNT                         raises the number of partitions
//   produce BROKERS TOPIC [name=value ...]                 records on stdin, one JSON object a line:
//     {"value": "text"|null, "value_hex": "..", "key": "..", "partition": 0, "timestamp": 1, "headers": {"a": "b"}}
//     control lines: {"do": "begin"|"commit"|"abort"|"flush"} (begin needs transactional.id=..)
//   lines BROKERS TOPIC [PARTITION]                        records on stdin, each line is a value
//   consume BROKERS TOPIC [uncommitted] [count=N] [wait_ms=N]   until the end, or until N records were seen
//   consume BROKERS TOPIC follow                           what is there and what comes, until the process is killed
//   ends BROKERS TOPIC                                     {"0": [low, high], ..} without hiding open transactions
//   committed BROKERS GROUP TOPIC                          {"0": offset, ..}
#include <librdkafka/rdkafka.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;
using Args = std::vector<std::string>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(1);
}

void check(rd_kafka_resp_err_t err, const char* what) {
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(std::string(what) + ": " + rd_kafka_err2str(err));
}

void check(rd_kafka_error_t* error, const char* what) {
  if (error != nullptr) fail(std::string(what) + ": " + rd_kafka_error_string(error));
}

int undelivered = 0;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  // Records of an aborted transaction that had not left yet are purged; that is what abort is for.
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE) return;
  ++undelivered;
  std::fprintf(stderr, "error: not delivered: %s\n", rd_kafka_err2str(message->err));
}

rd_kafka_t* connect(rd_kafka_type_t type, const std::string& brokers, const Args& settings) {
  char text[512];
  Args all{"bootstrap.servers=" + brokers};
  if (type == RD_KAFKA_CONSUMER) {
    all.insert(all.end(), {"group.id=millrace-kafka-tool", "enable.auto.commit=false", "enable.partition.eof=true",
                           "fetch.wait.max.ms=20", "auto.offset.reset=earliest"});
  } else {
    all.insert(all.end(), {"linger.ms=5", "message.max.bytes=20000000"});
  }
  all.insert(all.end(), settings.begin(), settings.end());
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const std::string& setting : all) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) fail("not name=value: " + setting);
    if (rd_kafka_conf_set(conf, setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str(), text,
                          sizeof text) != RD_KAFKA_CONF_OK)
      fail(text);
  }
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* handle = rd_kafka_new(type, conf, text, sizeof text);
  if (handle == nullptr) fail(text);
  return handle;
}

int partitions_of(rd_kafka_t* handle, const std::string& topic) {
  rd_kafka_topic_t* hint = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  int count = 0;
  for (int attempt = 0; attempt < 100 && count == 0; ++attempt) {
    check(rd_kafka_metadata(handle, 0, hint, &metadata, 10000), "metadata");
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
      count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (count == 0) rd_kafka_poll(handle, 50);
  }
  if (count == 0) fail("no such topic: " + topic);
  rd_kafka_topic_destroy(hint);
  return count;
}

void wait_for_topics_event(rd_kafka_queue_t* queue, rd_kafka_event_type_t expected) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 15000);
  if (event == nullptr) fail("the broker did not answer within 15 s");
  check(rd_kafka_event_error(event), "request");
  size_t count = 0;
  const rd_kafka_topic_result_t** results = nullptr;
  if (expected == RD_KAFKA_EVENT_CREATETOPICS_RESULT) {
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  } else if (expected == RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT) {
    results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
  } else {
    results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  }
  for (size_t i = 0; i < count; ++i)
    check(rd_kafka_topic_result_error(results[i]), rd_kafka_topic_result_name(results[i]));
  rd_kafka_event_destroy(event);
}

int create_topic(const Args& args) {
  rd_kafka_t* handle = connect(RD_KAFKA_PRODUCER, args.at(0), {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(handle);
  char text[512];
  const int partitions = args.size() > 2 ? std::atoi(args[2].c_str()) : 1;
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(args.at(1).c_str(), partitions, 1, text, sizeof text);
  if (topic == nullptr) fail(text);
  for (size_t i = 3; i < args.size(); ++i) {
    const size_t equals = args[i].find('=');
    check(rd_kafka_NewTopic_set_config(topic, args[i].substr(0, equals).c_str(), args[i].substr(equals + 1).c_str()),
          "config");
  }
  rd_kafka_CreateTopics(handle, &topic, 1, nullptr, queue);
  wait_for_topics_event(queue, RD_KAFKA_EVENT_CREATETOPICS_RESULT);
  partitions_of(handle, args[1]);
  return 0;
}

int delete_topic(const Args& args) {
  rd_kafka_t* handle = connect(RD_KAFKA_PRODUCER, args.at(0), {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(handle);
  rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(args.at(1).c_str());
  rd_kafka_DeleteTopics(handle, &topic, 1, nullptr, queue);
  wait_for_topics_event(queue, RD_KAFKA_EVENT_DELETETOPICS_RESULT);
  return 0;
}

int add_partitions(const Args& args) {
  rd_kafka_t* handle = connect(RD_KAFKA_PRODUCER, args.at(0), {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(handle);
  char text[512];
  const auto count = static_cast<size_t>(std::atoi(args.at(2).c_str()));
  rd_kafka_NewPartitions_t* wish = rd_kafka_NewPartitions_new(args[1].c_str(), count, text, sizeof text);
  if (wish == nullptr) fail(text);
  rd_kafka_CreatePartitions(handle, &wish, 1, nullptr, queue);
  wait_for_topics_event(queue, RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT);
  return 0;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16)));
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return hex;
}

struct Outgoing {
  bool has_value = false;
  bool has_key = false;
  std::string value;
  std::string key;
  int32_t partition = RD_KAFKA_PARTITION_UA;
  int64_t timestamp = 0;
  std::vector<std::pair<std::string, std::string>> headers;
};

void send(rd_kafka_t* handle, const std::string& topic, const Outgoing& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers)
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  while (true) {
    const rd_kafka_resp_err_t err = rd_kafka_producev(
        handle, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(record.has_value ? const_cast<char*>(record.value.data()) : nullptr, record.value.size()),
        RD_KAFKA_V_KEY(record.has_key ? record.key.data() : nullptr, record.key.size()),
        RD_KAFKA_V_TIMESTAMP(record.timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(handle, 20);
      continue;
    }
    check(err, "produce");
    return;
  }
}

void control(rd_kafka_t* handle, const std::string& what) {
  if (what == "begin") check(rd_kafka_begin_transaction(handle), "begin");
  if (what == "flush") check(rd_kafka_flush(handle, 30000), "flush");
  if (what == "commit") check(rd_kafka_commit_transaction(handle, 30000), "commit");
  if (what == "abort") {
    check(rd_kafka_flush(handle, 30000), "flush");  // so that the aborted records are in the log
    check(rd_kafka_abort_transaction(handle, 30000), "abort");
  }
}

int finish(rd_kafka_t* handle) {
  check(rd_kafka_flush(handle, 60000), "flush");
  rd_kafka_destroy(handle);
  return undelivered == 0 ? 0 : 1;
}

int produce(const Args& args) {
  const Args settings(args.begin() + 2, args.end());
  rd_kafka_t* handle = connect(RD_KAFKA_PRODUCER, args.at(0), settings);
  partitions_of(handle, args.at(1));
  bool transactional = false;
  for (const std::string& setting : settings) transactional |= setting.starts_with("transactional.id=");
  if (transactional) check(rd_kafka_init_transactions(handle, 30000), "init_transactions");
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    const Json json = Json::parse(line);
    if (json.contains("do")) {
      control(handle, json["do"].get<std::string>());
      continue;
    }
    Outgoing record;
    if (json.contains("value_hex")) record.value = from_hex(json["value_hex"].get<std::string>());
    if (json.contains("value") && !json["value"].is_null()) record.value = json["value"].get<std::string>();
    record.has_value = json.contains("value_hex") || (json.contains("value") && !json["value"].is_null());
    record.has_key = json.contains("key") && !json["key"].is_null();
    if (record.has_key) record.key = json["key"].get<std::string>();
    record.partition = json.value("partition", RD_KAFKA_PARTITION_UA);
    record.timestamp = json.value("timestamp", int64_t{0});
    if (json.contains("headers"))
      for (const auto& [name, value] : json["headers"].items())
        record.headers.emplace_back(name, value.get<std::string>());
    send(handle, args[1], record);
    rd_kafka_poll(handle, 0);
  }
  return finish(handle);
}

int produce_lines(const Args& args) {
  rd_kafka_t* handle =
      connect(RD_KAFKA_PRODUCER, args.at(0), {"compression.type=lz4", "queue.buffering.max.messages=1000000"});
  partitions_of(handle, args.at(1));
  Outgoing record;
  record.has_value = true;
  if (args.size() > 2) record.partition = std::atoi(args[2].c_str());
  while (std::getline(std::cin, record.value)) {
    send(handle, args[1], record);
    rd_kafka_poll(handle, 0);
  }
  return finish(handle);
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4) return false;
    const size_t more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    for (size_t k = 1; k <= more; ++k)
      if (i + k >= text.size() || (static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

void put_bytes(Json& json, const std::string& name, const void* data, size_t size) {
  if (data == nullptr) {
    json[name] = nullptr;
    return;
  }
  const std::string text(static_cast<const char*>(data), size);
  if (is_utf8(text)) {
    json[name] = text;
  } else {
    json[name + "_hex"] = to_hex(text);
  }
}

void print_message(const rd_kafka_message_t* message) {
  Json json;
  json["partition"] = message->partition;
  json["offset"] = message->offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  json["timestamp"] = rd_kafka_message_timestamp(message, &type);
  put_bytes(json, "key", message->key, message->key_len);
  put_bytes(json, "value", message->payload, message->len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
      put_bytes(json["headers"], name, value, size);
  }
  std::cout << json.dump() << '\n';
}

int consume(const Args& args) {
  Args settings;
  long count = -1;
  int wait_ms = 30000;
  bool follow = false;
  for (size_t i = 2; i < args.size(); ++i) {
    if (args[i] == "uncommitted")
      settings.emplace_back("isolation.level=read_uncommitted");
    else if (args[i] == "follow")
      follow = true;
    else if (args[i].starts_with("count="))
      count = std::atol(args[i].c_str() + 6);
    else if (args[i].starts_with("wait_ms="))
      wait_ms = std::atoi(args[i].c_str() + 8);
    else
      settings.push_back(args[i]);
  }
  rd_kafka_t* handle = connect(RD_KAFKA_CONSUMER, args.at(0), settings);
  rd_kafka_poll_set_consumer(handle);
  int open = partitions_of(handle, args.at(1));
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(open);
  for (int i = 0; i < open; ++i)
    rd_kafka_topic_partition_list_add(list, args[1].c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  check(rd_kafka_assign(handle, list), "assign");
  while (follow || (count < 0 ? open > 0 : count > 0)) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(handle, follow ? 0 : wait_ms);
    if (message == nullptr && follow) {
      std::cout.flush();
      message = rd_kafka_consumer_poll(handle, 100);
      if (message == nullptr) continue;
    }
    if (message == nullptr) fail("nothing arrived for " + std::to_string(wait_ms) + " ms");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      --open;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      print_message(message);
      if (count > 0) {
        --count;
        std::cout.flush();
      }
    } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT && message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      fail(rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
  std::cout.flush();
  std::_Exit(0);  // closing the handle costs up to a second and says nothing more
}

int ends(const Args& args) {
  rd_kafka_t* handle = connect(RD_KAFKA_CONSUMER, args.at(0), {"isolation.level=read_uncommitted"});
  Json json;
  for (int i = 0, n = partitions_of(handle, args.at(1)); i < n; ++i) {
    int64_t low = 0;
    int64_t high = 0;
    check(rd_kafka_query_watermark_offsets(handle, args[1].c_str(), i, &low, &high, 10000), "ends");
    json[std::to_string(i)] = {low, high};
  }
  std::cout << json.dump() << '\n';
  return 0;
}

int committed(const Args& args) {
  rd_kafka_t* handle = connect(RD_KAFKA_CONSUMER, args.at(0), {"group.id=" + args.at(1)});
  const int partitions = partitions_of(handle, args.at(2));
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i) rd_kafka_topic_partition_list_add(list, args[2].c_str(), i);
  check(rd_kafka_committed(handle, list, 15000), "committed");
  Json json;
  for (int i = 0; i < list->cnt; ++i) json[std::to_string(list->elems[i].partition)] = list->elems[i].offset;
  std::cout << json.dump() << '\n';
  return 0;
}

int run_command(int argc, char** argv) {
  const Args args(argv + std::min(argc, 2), argv + argc);
  const std::string command = argc > 1 ? argv[1] : "";
  try {
    if (command == "create") return create_topic(args);
    if (command == "delete") return delete_topic(args);
    if (command == "partitions") return add_partitions(args);
    if (command == "produce") return produce(args);
    if (command == "lines") return produce_lines(args);
    if (command == "consume") return consume(args);
    if (command == "ends") return ends(args);
    if (command == "committed") return committed(args);
  } catch (const std::exception& error) {
    fail(error.what());
  }
  std::fprintf(
      stderr, "usage: millrace_kafka_tool create|delete|partitions|produce|lines|consume|ends|committed BROKERS ...\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run_command(argc, argv);
  std::cout.flush();
  std::fflush(nullptr);
  // The handles end with the process: taking them down in order would cost each call of the tool some milliseconds.
  std::_Exit(code);
}
