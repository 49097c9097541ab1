#include "cpython/self_test_report.hpp"

#include <cstdio>
#include <locale>
#include <sstream>

#include "core/id_table.hpp"
#include "hooks/interpreter.hpp"

namespace gilscope {
namespace {

constexpr const char* kFirstLine = "gilscope self-test 2";

// Each line is a word that says what it is, and what belongs to it; the last one is the digest of
// all before it.
std::string body_of(const SelfTestReport& report, const std::string& key) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << kFirstLine << '\n' << "key " << key << '\n';
  text << "complete " << report.complete << '\n';
  for (const auto& [name, outcome] : report.outcomes) {
    text << "outcome " << name << ' ' << outcome << '\n';
  }
  text << "cost " << report.pair_cost << ' ' << report.stack_cost << '\n';
  for (const std::uintptr_t offset : report.park_sites) text << "park " << offset << '\n';
  for (const std::uintptr_t offset : report.join_stack) text << "join " << offset << '\n';
  for (const hooks::spins::SiteOffset& site : report.spin_sites) {
    text << "spin " << site.offset << ' ' << static_cast<unsigned>(site.locks) << ' '
         << static_cast<unsigned>(site.counts) << '\n';
  }
  return text.str();
}

std::string last_line(const std::string& body) {
  char line[32];
  std::snprintf(line, sizeof line, "digest %016llx\n",
                static_cast<unsigned long long>(mix(std::string_view(body))));
  return line;
}

bool read_line(std::istringstream& line, SelfTestReport& report) {
  std::string word;
  line >> word;
  if (word == "complete") {
    line >> report.complete;
  } else if (word == "outcome") {
    std::string name;
    std::string outcome;
    line >> name >> std::ws;
    std::getline(line, outcome);
    report.outcomes[name] = outcome;
    return !name.empty();
  } else if (word == "cost") {
    line >> report.pair_cost >> report.stack_cost;
  } else if (word == "park") {
    line >> report.park_sites.emplace_back();
  } else if (word == "join") {
    line >> report.join_stack.emplace_back();
  } else if (word == "spin") {
    auto& site = report.spin_sites.emplace_back();
    unsigned locks = 0;
    unsigned counts = 0;
    line >> site.offset >> locks >> counts;
    site.locks = static_cast<std::uint8_t>(locks);
    site.counts = static_cast<std::uint8_t>(counts);
  } else {
    return false;
  }
  return !line.fail();
}

bool failed(const SelfTestResult& outcomes, const char* name) {
  const auto found = outcomes.find(name);
  return found == outcomes.end() || found->second.rfind("not measured", 0) == 0;
}

}  // namespace

std::string write_report(const SelfTestReport& report, const std::string& key) {
  const std::string body = body_of(report, key);
  return body + last_line(body);
}

std::optional<SelfTestReport> read_report(const std::string& text, const std::string& key) {
  const std::size_t end = text.rfind("digest ");
  if (end == std::string::npos) return std::nullopt;
  const std::string body = text.substr(0, end);
  const std::string begin = std::string(kFirstLine) + "\nkey " + key + '\n';
  if (text.substr(end) != last_line(body) || body.rfind(begin, 0) != 0) return std::nullopt;
  std::istringstream lines(body.substr(begin.size()));
  SelfTestReport report;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    words.imbue(std::locale::classic());  // the program may have set another one for all streams
    if (!read_line(words, report)) return std::nullopt;
  }
  return report;
}

SelfTestReport no_report(const std::string& why) {
  SelfTestReport report;
  for (const char* name :
       {"gil", "mutex", "thread_lock", "object_lock", "native_lock", "thread_end", "spin"}) {
    report.outcomes[name] = "not measured: " + why;
  }
  report.complete = false;
  return report;
}

bool adopt_report(const ElfImage& interpreter, const SelfTestReport& report) {
  if (!parking::adopt_park_sites(report.park_sites) ||
      !parking::adopt_join_stack(interpreter, report.join_stack) ||
      !hooks::spins::adopt(interpreter, report.spin_sites)) {
    return false;
  }
  hooks::classes.gil = !failed(report.outcomes, "gil");
  hooks::classes.parked = !failed(report.outcomes, "mutex");
  hooks::classes.thread_lock = !failed(report.outcomes, "thread_lock");
  hooks::classes.object = !failed(report.outcomes, "object_lock");
  hooks::classes.spin = !failed(report.outcomes, "spin");
  hooks::classes.native = !failed(report.outcomes, "native_lock");
  return true;
}

}  // namespace gilscope
