package import Foundation
internal import MenoConfiguration
internal import MenoMetrics
internal import MenoMonitor

/// A run on disk, with its configuration if there is one.
package struct RecordedRun {
    package let url: URL
    package let configuration: RunConfiguration?
    /// Why an existing configuration cannot be read. One written by an older version may have keys
    /// that are now unknown; the run can be described without it.
    private let configurationFault: ConfigurationError?

    /// - Throws: ``ConfigurationError`` if nothing is there or the given configuration cannot be
    ///   read.
    package init(_ path: String, configuration named: String?) throws {
        url = URL(filePath: path).standardizedFileURL
        guard FileManager.default.fileExists(atPath: path) else {
            throw ConfigurationError(.notFound, at: path, "there is no run here.")
        }
        if let named {
            configuration = try RunConfiguration.read(URL(filePath: named), overrides: [])
            configurationFault = nil
        } else {
            do {
                configuration = try RunConfiguration.read(RunLayout(url).configuration, overrides: [])
                configurationFault = nil
            } catch let error as ConfigurationError {
                configuration = nil
                configurationFault = error.code == .notFound ? nil : error
            }
        }
    }

    package func warnOfConfiguration(_ log: any SessionLog) {
        if let configurationFault { log.warn("the default thresholds are used: \(configurationFault)") }
    }

    package var title: String {
        configuration?.runName ?? (isFolder ? url : url.deletingLastPathComponent()).lastPathComponent
    }

    /// The thresholds that the run's monitor used.
    package var thresholds: MonitorConfiguration {
        var thresholds = configuration?.monitor.thresholds ?? MonitorConfiguration()
        // The interval in the start event takes precedence. A metrics.jsonl has no such event.
        if let configuration, configuration.training.loggingStrategy == .steps,
            case .steps(let steps) = configuration.training.loggingSteps
        {
            thresholds.loggingSteps = steps
        }
        return thresholds
    }

    /// The folder of the run's records.
    package var reportFolder: URL {
        guard isFolder else { return url.deletingLastPathComponent() }
        let progress = RunLayout(url).progress
        return FileManager.default.fileExists(atPath: progress.path) ? progress : url
    }

    private var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
