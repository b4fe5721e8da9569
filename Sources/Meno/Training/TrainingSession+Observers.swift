internal import Foundation
internal import MenoConfiguration
internal import MenoMetrics
internal import MenoMonitor
internal import MenoReporting
internal import MenoTracking
internal import MenoTraining

extension TrainingSession {
    /// The observers that record the run in its files and in the session's log.
    func reporters() throws -> [any RunObserver] {
        let logs = configuration.report.logDirectory.map { URL(filePath: $0) } ?? folders.layout.logs
        var reporters: [any RunObserver] = [
            MetricsFile(folders.layout.metrics), EventsFile(folders.layout.events),
        ]
        let file = try logFile(in: logs)
        reporters.append(ConsoleReporter { file.write($0) })
        reporters += log.observers(showsProgress: !configuration.report.hidesProgress)
        if configuration.report.writesTensorBoard { reporters.append(TensorBoardFile(in: logs)) }
        return reporters
    }

    /// The observer that sends the run to a server, if one is configured.
    func tracker() -> MLflowTracker? {
        mlflow.map { MLflowTracker($0, run: folders.layout.trackedRun(configuration)) }
    }

    private func logFile(in folder: URL) throws -> LogFile {
        do {
            return try LogFile(in: folder)
        } catch {
            throw ConfigurationError(
                .invalid, at: folder.path, "the log cannot be written here (\(error.localizedDescription)).",
                advice: "Choose a folder that you can write to.", settings: [.loggingDirectory])
        }
    }

    func monitorObserver() throws -> MonitorObserver? {
        let settings = configuration.monitor
        guard settings.isEnabled else { return nil }
        let action: MonitorPolicy.AlertAction =
            switch settings.onAlert {
            case .log: .log
            case .stop: .stop
            case .command: .command(AlertCommand(settings.alertCommand ?? "", runFolder: folders.base))
            }
        let stable = CheckpointStore(folders.model, kind: .stable)
        return try MonitorObserver(
            settings.thresholds, action: action, files: SummaryFiles(folders.progress),
            stableCheckpoints: { Set(stable.steps.map(stable.path)) })
    }

    /// The probe questions, if there are any.
    var evaluationStages: [any EvaluationStage] {
        let settings = configuration.monitor
        guard settings.isEnabled, settings.probing == .evaluation, let template else { return [] }
        return [
            Prober(
                model: model, template: template, opening: dialogues.opening, questions: probeQuestions,
                maxNewTokens: settings.probeMaxNewTokens, maxShare: settings.probeMaxShare,
                isCancelled: shouldStop)
        ]
    }

    var probeQuestions: [String] {
        let questions = configuration.monitor.probeQuestions
        guard questions == ["auto"] else { return questions }
        let sample = ((try? examples.training.beginning(20)) ?? []).map {
            model.tokenizer.decode($0.ids, skipSpecialTokens: true)
        }
        return ProbeQuestions.bundled(for: sample.joined(separator: "\n"))
    }
}
