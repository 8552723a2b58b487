#include "client/server_connection.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <new>

#include "client/interrupt.hpp"
#include "client/retry.hpp"

namespace larder::client {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view k_blank = " \t\r\n";
  const auto first = text.find_first_not_of(k_blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(k_blank) - first + 1);
}

int status_in(std::string_view text) {
  int status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status;
}

// libcurl wants one call before any thread uses it.
void initialise_once() {
  static const CURLcode status = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (status != CURLE_OK) throw std::bad_alloc();
}

// Trouble of the connection rather than of the request: the next attempt may fare
// better.
bool is_connection_trouble(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR: return true;
    default: return false;
  }
}

}  // namespace

std::string AnswerHead::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

struct ServerConnection::Handle {
  Handle() : curl(curl_easy_init()) {
    if (curl == nullptr) throw std::bad_alloc();
  }
  ~Handle() { curl_easy_cleanup(curl); }
  CURL* curl;
};

// One request on its way: what libcurl's callbacks work on.
struct ServerConnection::Exchange {
  explicit Exchange(const Request& asked) : request(asked) {}
  ~Exchange() { curl_slist_free_all(headers); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers = longer;
  }

  // The method, the body to send, and where the answer goes.
  void attach_to(CURL* curl) {
    for (const std::string& line : request.headers) add_header(line);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
    if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (request.text) attach_text(curl);
    if (request.file) attach_file(curl);
    if (request.method == "DELETE") curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
  }

  void attach_text(CURL* curl) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.text->size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.text->data());
  }

  void attach_file(CURL* curl) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);  // PUT
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.file->size));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &Exchange::on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, this);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &Exchange::on_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, this);
  }

  static std::size_t on_header(char* data, std::size_t /* always 1 */, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const std::string_view line(data, size);
    if (line.starts_with("HTTP/")) {  // also the head after a 100 Continue: start over
      exchange.answer.head = {};
      const auto blank = line.find(' ');
      if (blank != std::string_view::npos) exchange.answer.head.status = status_in(line.substr(blank + 1));
      return size;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    exchange.answer.head.headers.emplace_back(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    return size;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (exchange.request.sink && exchange.answer.ok()) {
      return exchange.request.sink(exchange.answer.head, {data, size}) ? size : 0;
    }
    exchange.answer.body.append(data, size);
    return size;
  }

  static std::size_t on_read(char* data, std::size_t, std::size_t room, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const FileBody& body = *exchange.request.file;
    const std::size_t wanted = std::min<std::uint64_t>(room, body.size - exchange.position);
    while (true) {
      const ssize_t got = ::pread(body.descriptor, data, wanted, static_cast<off_t>(exchange.position));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 || (got == 0 && wanted > 0)) return CURL_READFUNC_ABORT;  // it shrank
      exchange.position += static_cast<std::uint64_t>(got);
      if (body.on_sent && got > 0) body.on_sent(static_cast<std::uint64_t>(got));
      return static_cast<std::size_t>(got);
    }
  }

  static int on_seek(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<Exchange*>(self)->position = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return interrupted() ? 1 : 0;
  }

  const Request& request;
  Answer answer;
  std::uint64_t position = 0;
  curl_slist* headers = nullptr;
};

ServerConnection::ServerConnection(const ServerUrl& server) : server_(server) {
  initialise_once();
  handle_ = std::make_unique<Handle>();
}

ServerConnection::~ServerConnection() = default;

namespace {

void set_transport(CURL* curl, const ServerUrl& server, const Request& request) {
  if (is_loopback(server)) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");  // no proxy leads back here
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "larder/" LARDER_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);  // threads
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 128L * 1024);
  curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  if (request.unpack) curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (request.stall_timeout.count() == 0) return;
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
}

void set_trust(CURL* curl, const Trust& trust) {
  if (!trust.authorities.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, trust.authorities.c_str());
  if (trust.checks == Trust::Checks::no) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (trust.certificate.empty()) return;
  const std::string& key = trust.key.empty() ? trust.certificate : trust.key;
  curl_easy_setopt(curl, CURLOPT_SSLCERT, trust.certificate.c_str());
  curl_easy_setopt(curl, CURLOPT_SSLKEY, key.c_str());
}

// What to do about trouble with TLS, behind libcurl's own words.
std::string trust_hint(CURLcode code, std::string_view reason) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return reason.find("match") != std::string_view::npos
                 ? "; ask for the server by the name that its certificate has"
                 : "; if it is the right one, name the file of its authority: --cacert FILE or LARDER_CACERT";
    case CURLE_SSL_CACERT_BADFILE: return "; --cacert (LARDER_CACERT) needs certificates in PEM";
    case CURLE_SSL_CERTPROBLEM: return "; see --cert and --key: PEM, and of one pair";
    case CURLE_SSL_CONNECT_ERROR:
      return reason.find("wrong version") != std::string_view::npos ? "; this port may speak plain http://"
                                                                    : "";
    default: return {};
  }
}

// Redirects are not followed, so that nothing of this goes anywhere else.
void set_credentials(CURL* curl, const ServerUrl& server) {
  if (!server.token.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, server.token.c_str());
    return;
  }
  if (!server.has_credentials()) {
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
    return;
  }
  curl_easy_setopt(curl, CURLOPT_USERNAME, server.user.c_str());
  curl_easy_setopt(curl, CURLOPT_PASSWORD, server.password.c_str());
}

}  // namespace

Result<Answer> ServerConnection::perform(const Request& request) {
  if (interrupted()) return Error(Errc::cancelled, "interrupted");
  CURL* curl = handle_->curl;
  const std::string url = server_.base + request.target;
  char reason[CURL_ERROR_SIZE] = "";
  Exchange exchange(request);

  curl_easy_reset(curl);  // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  set_transport(curl, server_, request);
  set_credentials(curl, server_);
  set_trust(curl, server_.trust);
  exchange.attach_to(curl);

  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) return std::move(exchange.answer);
  if (interrupted()) return Error(Errc::cancelled, "interrupted");
  const std::string_view said = reason[0] != '\0' ? reason : curl_easy_strerror(code);
  const std::string what = server_.base + ": " + std::string(said) + trust_hint(code, said);
  if (code == CURLE_WRITE_ERROR) return Error(Errc::cancelled, what);
  return Error(is_connection_trouble(code) ? Errc::busy : Errc::io, what);
}

Result<Answer> ServerConnection::perform_patiently(
    const Request& request, std::chrono::milliseconds patience,
    const std::function<void(const std::string&)>& on_trouble) {
  Retry retry(patience);
  while (true) {
    Result<Answer> answer = perform(request);
    const bool passing = answer ? is_passing_status(answer->status()) : is_passing_error(answer.error());
    if (!passing) return answer;
    const auto delay = retry.next_delay(std::chrono::steady_clock::now());
    if (!delay) return answer;
    if (on_trouble) on_trouble(answer ? describe_refusal(*answer) : answer.error().message());
    if (!wait_uninterrupted(*delay)) return Error(Errc::cancelled, "interrupted");
  }
}

api::Problem problem_of(const Answer& answer) {
  api::Problem problem;
  if (auto parsed = api::problem_from_json(answer.body)) problem = std::move(*parsed);
  problem.status = answer.status();
  return problem;
}

std::string describe_refusal(const Answer& answer) {
  const api::Problem problem = problem_of(answer);
  const std::string status = "the server answered " + std::to_string(answer.status());
  return problem.detail.empty() ? status : status + ": " + problem.detail;
}

}  // namespace larder::client
