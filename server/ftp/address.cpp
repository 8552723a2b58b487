#include "server/ftp/address.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace larder::ftp {
namespace {

Error malformed(std::string_view what) {
  return Error(Errc::invalid_argument, std::string(what));
}

// A whole number without sign or spaces, all of `text`.
template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size();
}

// Cuts what stands before the next `delimiter` off `text`, and the delimiter.
bool take_field(std::string_view& text, char delimiter, std::string_view& field) {
  const auto end = text.find(delimiter);
  if (end == std::string_view::npos) return false;
  field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

// "192.0.2.1", each part 0 to 255 without leading zeros (which some read as octal).
bool is_v4(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    std::string_view digits = host;
    if (part < 3 ? !take_field(host, '.', digits) : host.empty()) return false;
    std::uint8_t value = 0;
    if (!parse_number(digits, value) || (digits.size() > 1 && digits.front() == '0')) return false;
  }
  return true;
}

bool may_be_v6(std::string_view host) {
  return host.find(':') != std::string_view::npos && host.size() <= 45 &&
         host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

}  // namespace

Result<DataAddress> parse_port_argument(std::string_view argument) {
  std::array<std::uint8_t, 6> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::string_view digits = argument;
    const bool cut = i + 1 == numbers.size() || take_field(argument, ',', digits);
    if (!cut || !parse_number(digits, numbers[i]))
      return malformed("PORT takes six numbers from 0 to 255, separated by commas");
  }
  DataAddress address;
  for (std::size_t i = 0; i < 4; ++i)
    address.host.append(i == 0 ? "" : ".").append(std::to_string(numbers[i]));
  address.port = static_cast<std::uint16_t>(numbers[4] * 256 + numbers[5]);
  return address;
}

Result<DataAddress> parse_eprt_argument(std::string_view argument) {
  constexpr std::string_view k_form = "EPRT takes |1|ADDRESS|PORT| or |2|ADDRESS|PORT|";
  if (argument.empty() || argument.front() < 33 || argument.front() > 126) return malformed(k_form);
  const char delimiter = argument.front();
  argument.remove_prefix(1);
  std::string_view family;
  std::string_view host;
  std::string_view port;
  if (!take_field(argument, delimiter, family) || !take_field(argument, delimiter, host) ||
      !take_field(argument, delimiter, port) || !argument.empty())
    return malformed(k_form);
  DataAddress address;
  if (!parse_number(port, address.port)) return malformed(k_form);
  if (family != "1" && family != "2")
    return Error(Errc::not_supported, "Network protocol not supported, use (1,2)");
  address.family = family == "1" ? Family::v4 : Family::v6;
  if (address.family == Family::v4 ? !is_v4(host) : !may_be_v6(host)) return malformed(k_form);
  address.host = host;
  return address;
}

std::string passive_address(std::string_view host, std::uint16_t port) {
  std::string text(host);
  std::replace(text.begin(), text.end(), '.', ',');
  return text + "," + std::to_string(port / 256) + "," + std::to_string(port % 256);
}

std::string extended_passive_address(std::uint16_t port) {
  return "|||" + std::to_string(port) + "|";
}

}  // namespace larder::ftp
