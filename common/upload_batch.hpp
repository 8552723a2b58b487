// Many small artifacts in one request: what a seed of thousands of them would otherwise spend on requests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/api.hpp"
#include "common/digest_list.hpp"
#include "common/result.hpp"

namespace larder {

namespace api {

// POST ?namespace=NS; packed with gzip or not. Body: for each artifact "PATH<tab>SHA256HEX<tab>SIZE<line
// feed>" and SIZE bytes. Each is stored, or not, as if it had been sent by a PUT of its own. Answer: 200, and
// a line of JSON for each, in their order.
inline constexpr std::string_view k_uploads = "/-/v1/uploads";

// {"path": "ab/cd", "status": 201}, or what a PUT would have answered as a problem: "code", "detail" …
struct UploadResult {
  std::string path;  // empty: what was sent is no name at all
  Problem problem;   // of what was stored: the status alone
};

std::string to_json(const UploadResult& result);
Result<UploadResult> upload_result_from_json(std::string_view json);

}  // namespace api

// Bounds of a request, unpacked.
inline constexpr std::size_t k_most_upload_bytes = 4 << 20;
inline constexpr std::size_t k_most_uploads = 1000;

struct BatchedUpload {
  ListedFile file;         // its path is not checked yet
  std::string_view bytes;  // of the body
};

// invalid_argument tells which artifact is not understood, or cut; too_large: more than k_most_uploads.
Result<std::vector<BatchedUpload>> parse_upload_batch(std::string_view body);

}  // namespace larder
