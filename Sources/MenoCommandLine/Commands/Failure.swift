import ArgumentParser
import Foundation
import MenoConfiguration
import MenoData
import MenoExport
import MenoFormats
import MenoHub
import MenoModels
import MenoMonitor
import MenoReporting
import MenoTensor
import MenoTokenizers
import MenoTraining

/// Exit codes, by sysexits.h where it has one.
enum Status {
    static let failed: Int32 = 1
    static let badInput: Int32 = 65
    static let notFound: Int32 = 66
    static let interrupted: Int32 = 130
}

/// Runs a command's body; an error is written to standard error and becomes its exit code.
func reportingErrors(_ body: () throws -> Void) throws { try reportingErrors(ConsoleLog(), body) }

/// - Parameter log: how an error is told.
func reportingErrors(_ log: ConsoleLog, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as any CustomStringConvertible & Error where status(of: error) != nil {
        log.fail(error)
        throw ExitCode(status(of: error) ?? Status.failed)
    }
}

func reportingErrors(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch {
        try reportingErrors { throw error }
    }
}

private func status(of error: any Error) -> Int32? {
    switch error {
    case let error as FormatError: error.code == .notFound ? Status.notFound : Status.badInput
    case let error as ModelError: error.code == .notFound ? Status.notFound : Status.badInput
    case let error as HubError:
        switch error.code {
        case .notFound, .forbidden, .offline: Status.notFound
        case .unsupported, .badSetting: Status.badInput
        case .network, .rateLimited, .damaged, .noSpace, .inputOutput: Status.failed
        }
    case let error as DataError: error.code == .notFound ? Status.notFound : Status.badInput
    case is MonitorError, is ReportError: Status.badInput
    case let error as ConfigurationError: error.code == .notFound ? Status.notFound : Status.badInput
    case let error as TokenizerError: error.code == .notFound ? Status.notFound : Status.badInput
    case let error as TrainingError:
        switch error.code {
        case .interrupted: Status.interrupted
        case .badArguments, .cannotResume, .nothingToTrain: Status.badInput
        default: Status.failed
        }
    case let error as ExportError:
        switch error.code {
        case .exists, .unsupported: Status.badInput
        case .differs, .cannotWrite: Status.failed
        }
    case is TorchError, is OutputError: Status.failed
    default: nil
    }
}
