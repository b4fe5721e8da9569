internal import Foundation

/// A library of the system that is loaded when it is first needed, so that nobody needs it to build Meno.
struct SystemLibrary: @unchecked Sendable {
    /// What unpacks gzip: on every Debian system.
    static let zlib = SystemLibrary("zlib", ["libz.so.1", "libz.1.dylib"], package: "zlib1g")
    /// What unpacks Zstandard.
    static let zstd = SystemLibrary("libzstd", ["libzstd.so.1", "libzstd.1.dylib"], package: "libzstd1")

    private let name: String
    private let package: String
    private let handle: UnsafeMutableRawPointer?

    private init(_ name: String, _ files: [String], package: String) {
        (self.name, self.package) = (name, package)
        handle = files.lazy.compactMap { dlopen($0, RTLD_NOW | RTLD_LOCAL) }.first
    }

    /// A function of the library.
    /// - Throws: ``DataError`` where the library is not there.
    func function<Function>(_ symbol: String, _: Function.Type, for path: String) throws -> Function {
        guard let handle, let address = dlsym(handle, symbol) else {
            throw DataError(
                .malformed, at: path, "is compressed, and \(name), which unpacks it, is not installed.",
                advice: "Install it (Debian: \(package)), or unpack the file.")
        }
        return unsafeBitCast(address, to: Function.self)
    }
}
