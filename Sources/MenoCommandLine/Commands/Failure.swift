import ArgumentParser
import MenoErrors

/// Exit codes, following sysexits.h where it defines one.
enum Status {
    static let failed: Int32 = 1
    static let badInput: Int32 = 65
    static let notFound: Int32 = 66
    static let interrupted: Int32 = 130

    static func code(of kind: ErrorKind) -> Int32 {
        switch kind {
        case .notFound: notFound
        case .badInput: badInput
        case .failed: failed
        case .interrupted: interrupted
        }
    }
}

/// Runs a command's body. An error is written to standard error and determines the exit code.
func reportingErrors(_ body: () throws -> Void) throws { try reportingErrors(ConsoleLog(), body) }

/// - Parameter log: reports an error.
func reportingErrors(_ log: ConsoleLog, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as any MenoError {
        log.fail(error)
        throw ExitCode(Status.code(of: error.kind))
    }
}

func reportingErrors(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch {
        try reportingErrors { throw error }
    }
}
