import Foundation

/// Runs the program that was built beside the tests.
func meno(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) { try meno(arguments) }

/// - Parameters:
///   - threads: of libtorch; `nil`: as many as it likes.
///   - environment: what differs from that of the tests.
///   - memoryLimit: of addresses, in MiB.
///   - redirection: of a shell, as `2>/dev/full`.
///   - folder: where it runs; `nil`: where the tests do.
///   - onLine: called with each line of standard error as it comes; standard output is not read then.
func meno(
    _ arguments: [String], threads: Int? = nil, environment: [String: String] = [:], memoryLimit: Int? = nil,
    redirection: String? = nil, folder: URL? = nil,
    onLine: ((Substring) -> Void)? = nil
) throws -> (status: Int32, output: String, errors: String) {
    let process = Process()
    let threads = threads.map { ["OMP_NUM_THREADS": "\($0)"] } ?? [:]
    process.environment = ProcessInfo.processInfo.environment.merging(threads) { $1 }.merging(environment) { $1 }
    process.executableURL = program
    process.arguments = arguments
    process.currentDirectoryURL = folder
    if memoryLimit != nil || redirection != nil {
        let limit = memoryLimit.map { "ulimit -v \($0 << 10) && " } ?? ""
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "\(limit)exec \"$0\" \"$@\" \(redirection ?? "")", program.path] + arguments
    }
    if let onLine {
        let errors = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        try process.run()
        var (text, rest) = ("", "")
        while case let part = errors.fileHandleForReading.availableData, !part.isEmpty {
            rest += String(decoding: part, as: UTF8.self)
            let lines = rest.split(separator: "\n", omittingEmptySubsequences: false)
            lines.dropLast().forEach(onLine)
            text += rest.dropLast(lines.last?.count ?? 0)
            rest = String(lines.last ?? "")
        }
        process.waitUntilExit()
        return (process.terminationStatus, "", text + rest)
    }
    // Both pipes would have to be read at once; a file takes whatever comes.
    let file = FileManager.default.temporaryDirectory.appending(path: "meno-\(UUID().uuidString).log")
    try Data().write(to: file)
    let output = Pipe()
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: file)
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let errors = try String(contentsOf: file, encoding: .utf8)
    return (process.terminationStatus, String(decoding: text, as: UTF8.self), errors)
}

/// Starts the program with pipes for its output.
func start(_ arguments: [String]) throws -> Process {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.standardOutput = Pipe()
    process.standardError = Pipe()
    try process.run()
    return process
}

private let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "meno")
