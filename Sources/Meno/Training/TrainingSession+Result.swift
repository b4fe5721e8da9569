internal import Foundation
internal import MenoData
internal import MenoExport
internal import MenoFormats
internal import MenoMetrics
internal import MenoReporting
internal import MenoTraining

/// What a run produces: a model or adapter, exports, a report.
extension TrainingSession {
    /// Exports the result in every requested form; a failure in one does not stop the others.
    func exportResult() throws {
        var failure: (any Error)?
        for form in exports {
            do {
                try export(form)
            } catch {
                if failure != nil { log.warn("\(form) was not exported: \(error)") }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Exports the result into the `exports` folder of the run, beside any existing exports.
    private func export(_ form: ExportForm) throws {
        let place = folders.base.appending(path: "exports")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let isFile = form.format == .gguf || form.format == .ggufLoRA
        let name = form.description.replacing(":", with: "-")
        let names = [name] + (2...).prefix(10_000).map { "\(name)-\($0)" }
        let free = names.map { place.appending(path: isFile ? $0 + ".gguf" : $0) }.first {
            !FileManager.default.fileExists(atPath: $0.path)
        }
        guard let target = free else { return }
        let isAdapter = configuration.lora != nil
        let exporter = ModelExporter(
            model: isAdapter ? runModel.place : folders.model.path,
            adapter: isAdapter ? folders.model.path : nil, form: form, target: target, log: log)
        try exporter.run()
        log.note("the export is in \(target.path)")
    }

    func writeResult() throws {
        let result = configuration.lora == nil ? "model" : "adapter"
        do {
            try form.write(model.decoder.trainedValues(), to: folders.model)
        } catch {
            let newest = CheckpointStore(folders.model).newest().url?.lastPathComponent
            throw TrainingError(
                .cannotSave, "the final \(result) cannot be written to \(folders.model.path) (\(error)).",
                advice: newest.map { "Free some disk space, then resume from \($0)." }
                    ?? "Nothing from the run could be saved.",
                settings: newest == nil ? [] : [.resumption])
        }
        log.note("the final \(result) is in \(folders.model.path)")
    }

    /// Writes statistics of the training data for the report and the dashboard.
    func writeDataSummary() {
        let training = examples.training
        let lengths = (0..<training.count).map { training.lengths(at: $0).total }
        let problems = dataReport.problems.prefix(20).map { "\($0.place) \($0.reason)" }
        let summary = RunDataSummary(
            path: configuration.data.sourceNames, summary: dataReport.summary,
            records: RunDataSummary.Records(dataSummary), template: template.map { "\($0)" },
            trainSamples: examples.training.count, evaluationSamples: examples.evaluation.count,
            lengths: RunDataSummary.Lengths(lengths),
            labels: (training as? [Example])?.reduce(0) { $0 + $1.labelCount }, problems: problems,
            remarks: dataReport.remarks,
            preview: (try? training.beginning(1))?.first?.preview(model.tokenizer))
        do {
            let encoder = JSONEncoder.reproducible(isPretty: true, snakeCase: true)
            try WholeFile.write(
                try encoder.encode(summary), to: folders.progress.appending(path: RunLayout.dataSummaryName),
                durability: .contents)
        } catch {
            log.warn("the summary of the data cannot be written: \(error)")
        }
    }

    /// Writes the report from what the observers recorded.
    func writeReport() {
        do {
            let run = try RunRecord(folders.base, thresholds: configuration.monitor.thresholds)
            let title = configuration.runName ?? folders.base.lastPathComponent
            try Report(run, title: title, language: configuration.report.language.chosen).write(to: folders.progress)
        } catch {
            log.warn("the report could not be written: \(error)")
        }
    }
}

extension RunDataSummary.Records {
    /// Sources that a report names.
    private static let namedSources = 20

    init(_ summary: DataSummary) {
        let shares = { (shares: [DataSummary.Share]) in
            shares.map { RunDataSummary.Share(name: $0.name, records: $0.records) }
        }
        self.init(
            shapes: shares(summary.shapes), languages: shares(summary.languages),
            sources: shares(Array(summary.sources.prefix(Self.namedSources))), sourceCount: summary.sources.count,
            pairs: summary.pairs, duplicates: summary.duplicates)
    }
}
