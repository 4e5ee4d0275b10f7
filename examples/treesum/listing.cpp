#include "listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "stop.hpp"

namespace treesum {
namespace {

struct close_folder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using open_folder = std::unique_ptr<DIR, close_folder>;

open_folder open_for_listing(const std::string& path) {
  // NOFOLLOW: between its discovery and now, the folder may have become a link to anywhere.
  const int descriptor =
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  DIR* const folder = ::fdopendir(descriptor);
  if (folder == nullptr) {
    const int error = errno;
    ::close(descriptor);
    errno = error;
  }
  return open_folder(folder);
}

/// A link that leads nowhere is nobody's mistake; one that leads to itself can be no file.
bool leads_in_a_circle(int descriptor, const char* name) {
  struct stat target{};
  return ::fstatat(descriptor, name, &target, 0) != 0 && errno == ELOOP;
}

}  // namespace

void lister::add_root(const std::string& path, directory& top) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    problems_.problem(path.empty() ? "''" : path, "cannot look at it", errno);
  } else if (S_ISDIR(status.st_mode)) {
    top.directories.push_back(std::make_unique<directory>(path));
  } else if (S_ISREG(status.st_mode)) {
    add_file(top, path, AT_FDCWD, path.c_str());
  } else if (S_ISLNK(status.st_mode) && leads_in_a_circle(AT_FDCWD, path.c_str())) {
    problems_.problem(path, "symbolic link that leads in a circle", ELOOP);
  }
}

void lister::list(directory& place) {
  const open_folder folder = open_for_listing(place.path);
  if (folder == nullptr) {
    problems_.problem(place.path, "cannot open this folder", errno);
    return;
  }
  while (!stop_requested()) {
    errno = 0;
    const dirent* const entry = ::readdir(folder.get());
    if (entry == nullptr) {
      if (errno != 0) problems_.problem(place.path, "cannot list all of this folder", errno);
      break;
    }
    add_entry(place, ::dirfd(folder.get()), entry->d_name, entry->d_type);
  }
  sort_entries(place);
}

void lister::add_entry(directory& place, int descriptor, const char* name, unsigned char type) {
  const std::string_view text = name;
  if (text == "." || text == "..") return;
  std::string path = place.prefix + name;
  if (type == DT_UNKNOWN) {
    struct stat status{};
    if (::fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      problems_.problem(path, "cannot look at it", errno);
      return;
    }
    type = static_cast<unsigned char>(IFTODT(status.st_mode));
  }
  if (type == DT_DIR) {
    place.directories.push_back(std::make_unique<directory>(std::move(path)));
  } else if (type == DT_REG) {
    add_file(place, std::move(path), descriptor, name);
  } else if (type == DT_LNK && leads_in_a_circle(descriptor, name)) {
    problems_.problem(path, "symbolic link that leads in a circle", ELOOP);
  }
}

void lister::add_file(directory& place, std::string path, int descriptor, const char* name) {
  // The size only feeds the time left; what cannot be asked now is found when it is opened.
  struct stat status{};
  if (measure_ == sizes::wanted && ::fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
    totals_.bytes.fetch_add(static_cast<std::uint64_t>(status.st_size), std::memory_order_relaxed);
  totals_.files.fetch_add(1, std::memory_order_relaxed);
  place.files.push_back(std::move(path));
}

}  // namespace treesum
