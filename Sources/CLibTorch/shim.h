// libtorch has no C headers of its own: this module exists for its pkg-config flags
// (include folders, library folder, libraries), which SwiftPM passes on to CTorch.
