// Tell what to act on: ./subscriber [ENDPOINT]
// apt-get install g++ libzmq3-dev cppzmq-dev nlohmann-json3-dev; g++ -std=c++17 -O2 subscriber.cpp -o subscriber -lzmq
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <zmq.hpp>
using nlohmann::json;
using std::string;

int main(int argc, char** argv) {
  string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  zmq::context_t context;
  zmq::socket_t stream(context, zmq::socket_type::sub);
  stream.set(zmq::sockopt::rcvtimeo, 3000);  // the heartbeat comes once a second
  stream.set(zmq::sockopt::maxmsgsize, 1L << 20);
  stream.set(zmq::sockopt::subscribe, "v1/");
  stream.connect(argc > 1 ? argv[1] : "tcp://127.0.0.1:5757");
  std::map<string, json> open;                               // event -> its newest message
  std::map<string, string> states;                           // camera -> state
  std::map<string, std::pair<string, std::int64_t>> newest;  // topic -> run and seq
  const auto end = [&](const string event, const string& reason) {  // once for every start
    if (open.count(event)) std::cout << "end " << open[event].at("label").get<string>() << " " << reason << std::endl;
    open.erase(event);
  };
  const auto say = [&](const string& camera, const string& state) {
    if (std::exchange(states[camera], state) != state) std::cout << "state " << state << std::endl;
  };
  for (zmq::message_t frame;;) try {
    if (!stream.recv(frame)) {  // nothing heard for 3 s
      while (!open.empty()) end(open.begin()->first, "liveness");
      for (const auto& [camera, state] : std::map(states)) say(camera, "stale");
      continue;
    }
    const string text = frame.to_string(), topic = text.substr(0, text.find('\0'));
    const json data = json::parse(text.substr(std::min(topic.size() + 1, text.size())));
    const string kind = topic.substr(topic.rfind('/') + 1), camera = data.at("camera"), run = data.at("run");
    auto& last = newest[topic];
    if (last.first == run && data.at("seq") <= last.second) continue;  // a copy for a late reader, or a replay
    if (!last.first.empty() && last.first != run) while (!open.empty()) end(open.begin()->first, "restart");
    last = {run, data.at("seq")};
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);  // a stamp means nothing on another boot; wall clocks are never compared
    const json captured = data.value("t_capture_mono_ns", json());
    const double age_ms = captured.is_number() ? (now.tv_sec * 1e9 + now.tv_nsec - captured.get<double>()) / 1e6 : -1;
    const bool fresh = data.at("boot") == boot && age_ms >= 0 && age_ms <= 1000;
    if (kind == "action" && data.at("type") == "end") end(data.at("event"), data.at("reason"));
    const bool begins = kind == "action" && data.at("type") != "end" && fresh;
    if (begins && std::exchange(open[data.at("event")], data).is_null())
      std::cout << "start " << data.at("label").get<string>() << " " << age_ms << " ms old" << std::endl;
    if (kind != "state") continue;
    const string listed = data.at("open").dump();
    for (const auto& [event, its] : std::map(open))  // an end that was lost?
      if (its.at("camera") == camera && listed.find(json(event).dump()) == string::npos) end(event, "lost");
    say(camera, fresh || data.at("state") != "running" ? data.at("state") : json("stale"));
  } catch (const json::exception&) {}  // not a message of ours
}
