package import Foundation
internal import MenoFormats
internal import MenoMetrics

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What can be asked of a run that goes on.
package enum RunRequest: String, Codable, Sendable, CaseIterable {
    /// End after the present step, with the result and a checkpoint to resume from.
    case stop
    /// Save a checkpoint after the present step.
    case checkpoint
}

/// How other processes ask a run for something: by a small file in its folder, which the run looks for after each step.
///
/// A request names the process that it is for, by a mark that each process makes for itself. One that comes too late, or from a page
/// that was loaded long ago, is not obeyed by the process that resumes the run.
package struct RunControl: Sendable {
    private let sessionFile: URL
    private let requestFile: URL

    /// - Parameter run: the run's folder.
    package init(_ run: URL) {
        sessionFile = run.appending(path: "control_session.json")
        requestFile = run.appending(path: "control_request.json")
    }

    private struct Session: Codable { var session: String }

    private struct Request: Codable {
        var session: String
        var request: RunRequest
    }

    /// The mark of the process that trains; `nil` where none has begun to. A process that was killed leaves its mark.
    package var session: String? { read(Session.self, from: sessionFile)?.session }

    /// What was asked of a process and was not done yet.
    package func pending(session: String?) -> RunRequest? {
        read(Request.self, from: requestFile).flatMap { $0.session == session ? $0.request : nil }
    }

    /// Asks the process of a session for something; an earlier request that was not done yet is replaced.
    /// - Returns: `false` where another process trains now, or none.
    /// - Throws: `FormatError` where the run's folder cannot be written to.
    package func ask(_ request: RunRequest, session: String) throws -> Bool {
        guard self.session == session else { return false }
        let data = try JSONEncoder.reproducible().encode(Request(session: session, request: request))
        try WholeFile.write(data, to: requestFile, durability: .contents, isShared: true)
        return true
    }

    // MARK: The side of the run

    func begin(session: String) throws {
        try? FileManager.default.removeItem(at: requestFile)
        let data = try JSONEncoder.reproducible().encode(Session(session: session))
        try WholeFile.write(data, to: sessionFile, durability: .contents)
    }

    /// Takes a request away; one for another process is dropped.
    func take(session: String) -> RunRequest? {
        guard access(requestFile.path, F_OK) == 0 else { return nil }
        let request = read(Request.self, from: requestFile)
        try? FileManager.default.removeItem(at: requestFile)
        return request.flatMap { $0.session == session ? $0.request : nil }
    }

    func end() {
        for file in [sessionFile, requestFile] { try? FileManager.default.removeItem(at: file) }
    }

    /// A file that is larger than such a file can be is none.
    private func read<Content: Decodable>(_: Content.Type, from file: URL) -> Content? {
        guard let handle = try? FileHandle(forReadingFrom: file), let data = try? handle.read(upToCount: 4096) else {
            return nil
        }
        return try? JSONDecoder().decode(Content.self, from: data)
    }
}
