#include "tests/support/sample_names.hpp"

namespace larder::test {
namespace {

struct Recipe {
  std::string_view pn;
  std::string_view pv;
};

constexpr std::array<Recipe, 24> k_recipes = {{
    {"zlib", "1.3.1"},
    {"busybox", "1.36.1"},
    {"glibc", "2.39+git0+1c9ac027a5"},
    {"gtk+3", "3.24.41"},
    {"libsigc++-2.0", "2.12.1"},
    {"libstdc++", "13.2.0"},
    {"linux-yocto", "6.6.23+git0+a7b5c3d1e9_6f2d8c4b1a"},
    {"u-boot-fw-utils", "2024.01"},
    {"openssl", "3.2.1"},
    {"python3-setuptools", "69.1.1"},
    {"perl", "5.38.2"},
    {"systemd", "255.4"},
    {"util-linux-libuuid", "2.39.3"},
    {"core-image-minimal", "1.0"},
    {"packagegroup-core-boot", "1.0"},
    {"ca-certificates", "20240203"},
    {"xserver-xorg", "21.1.12~rc1"},
    {"mesa", "24.0.2-20240312"},
    {"libcap-ng", "0.8.4"},
    {"qtbase", "6.6.2+git0+0a1b2c3d4e~beta3"},
    {"gstreamer1.0-plugins-base", "1.22.11"},
    {"kernel-module-hello", "0.1+gitAUTOINC+d00dfeed42"},
    {"tzdata", "2024a"},
    {"e2fsprogs", "1.47.0"},
}};

constexpr std::array<std::string_view, 8> k_archived_tasks = {
    "populate_sysroot",         "package",    "packagedata",
    "package_write_ipk",        "package_qa", "package_write_rpm",
    "deploy_source_date_epoch", "deploy"};
constexpr std::array<std::string_view, 6> k_plain_tasks = {
    "configure", "compile", "install", "prepare_recipe_sysroot", "rootfs", "create_spdx"};
constexpr std::array<std::string_view, 4> k_plain_software_tasks = {"fetch", "unpack", "patch",
                                                                    "preconfigure"};

struct Machine {
  std::string_view target;
  std::string_view pkgarch;
};
constexpr std::array<Machine, 4> k_machines = {{
    {"core2-64-poky-linux", "core2-64"},
    {"cortexa57-poky-linux", "cortexa57"},
    {"qemux86_64-poky-linux", "qemux86_64"},
    {"cortexa9t2hf-neon-poky-linux-gnueabi", "cortexa9t2hf-neon"},
}};

void settle(SstateName& name, std::string_view target, std::string_view pkgarch) {
  name.target = target;
  name.pkgarch = pkgarch;
}

void make_native(SstateName& name, std::string_view extra) {
  name.pn += "-native";
  name.extra = extra;
  settle(name, "x86_64-linux", "x86_64");
}

void make_cross(SstateName& name) {
  name.pn = "gcc-cross-x86_64";
  name.pv = "13.2.0";
  name.extra = "universal/";
  settle(name, "x86_64-poky-linux", "x86_64_x86_64");
}

void make_software(SstateName& name, TaskKind kind, Dice& dice) {
  settle(name, "", "");
  name.task =
      kind == TaskKind::archived ? std::string_view("populate_lic") : dice.pick(k_plain_software_tasks);
}

void make_too_long(SstateName& name) {
  name.pn = "packagegroup-very-descriptive-name-of-a-product-with-many-words";
  name.pv =
      "2024.04.1+gitAUTOINC+0123456789abcdef0123456789abcdef01234567_"
      "89abcdef0123456789abcdef0123456789abcdef~rc12";
  name.pr = "r0.customer.variant.with.a.long.suffix";
}

// Pads PV until the name fits to the byte.
void make_longest(SstateName& name) {
  name.pv = "1.0+git0+";
  const std::size_t length = name.file_name().size();
  if (length < k_sstate_name_limit) name.pv.append(k_sstate_name_limit - length, 'f');
}

void make_old(SstateName& name, NameForm form, Dice& dice) {
  constexpr std::array<std::string_view, 2> k_tgz = {"3", "7"};
  constexpr std::array<std::string_view, 3> k_zstd = {"10", "11", "12"};
  name.version = form == NameForm::old_tgz ? dice.pick(k_tgz) : dice.pick(k_zstd);
  if (form == NameForm::old_tgz) name.extension = ".tgz";
}

}  // namespace

std::string SstateName::file_name() const {
  const auto join = [this](const std::string& t, const std::string& v, const std::string& r) {
    return "sstate:" + pn + ":" + t + ":" + v + ":" + r + ":" + pkgarch + ":" + version + ":" + hash + "_" +
           task + extension;
  };
  const std::string whole = join(target, pv, pr);
  if (whole.size() <= k_sstate_name_limit) return whole;
  const std::size_t fixed = whole.size() - target.size() - pv.size() - pr.size();
  const std::size_t third = fixed < k_sstate_name_limit ? (k_sstate_name_limit - fixed) / 3 : 0;
  return join(target.substr(0, third), pv.substr(0, third), pr.substr(0, third));
}

std::string SstateName::path() const {
  return extra + hash.substr(0, 2) + "/" + hash.substr(2, 2) + "/" + file_name();
}

SstateName make_sstate_name(NameForm form, TaskKind kind, Dice& dice) {
  const Recipe& recipe = dice.pick(k_recipes);
  const Machine& machine = dice.pick(k_machines);
  SstateName name;
  name.pn = recipe.pn;
  name.pv = recipe.pv;
  name.pr = dice.chance(80) ? "r0" : "r3.1";
  name.version = "14";
  name.hash = dice.hex(64);
  name.task = kind == TaskKind::archived ? dice.pick(k_archived_tasks) : dice.pick(k_plain_tasks);
  name.extension = ".tar.zst";
  settle(name, machine.target, machine.pkgarch);
  switch (form) {
    case NameForm::target: break;
    case NameForm::native: make_native(name, "universal/"); break;
    case NameForm::distro_native: make_native(name, "debian-12/"); break;
    case NameForm::cross: make_cross(name); break;
    case NameForm::software: make_software(name, kind, dice); break;
    case NameForm::allarch: settle(name, "allarch-poky-linux", "allarch"); break;
    case NameForm::truncated: make_too_long(name); break;
    case NameForm::longest: make_longest(name); break;
    case NameForm::old_tgz:
    case NameForm::old_zstd: make_old(name, form, dice); break;
  }
  return name;
}

}  // namespace larder::test
