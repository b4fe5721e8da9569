package import MenoData
package import MenoMetrics
package import MenoTokenizers

/// Messages from loading and training besides the events of a run. They may go to a console, an
/// event stream or nowhere.
package protocol SessionLog: Sendable {
    /// Reports useful information, such as what is being loaded.
    func note(_ text: String)
    /// Reports a likely problem that does not end the run.
    func warn(_ text: String)
    /// Shows the first training example as the model sees it.
    /// - Parameter text: produces the text; not called if nobody looks at it.
    func preview(_ text: () -> String)
    /// Reports progress, in a line that the next one replaces.
    func progress(_ text: String)
    /// The observers of a run, besides those that write its files.
    /// - Parameter showsProgress: whether to show a line that is updated with every step.
    func observers(showsProgress: Bool) -> [any RunObserver]
    /// Called for a catalog model that has not been downloaded. Returns once its file exists.
    /// - Throws: if the model cannot or should not be downloaded.
    func obtain(_ model: CatalogModel) throws
}

extension SessionLog {
    package func preview(_ text: () -> String) {}
    package func progress(_ text: String) {}
    package func observers(showsProgress: Bool) -> [any RunObserver] { [] }
    package func obtain(_ model: CatalogModel) throws { throw model.absence }

    /// Reports what reading a data file found, with the first few problems.
    /// - Parameter template: the chat template that dialogues were rendered with.
    package func data(_ report: DataReport, path: String, template: ChatTemplate?, limit: Int = 10) {
        note("\(path): \(report.summary)")
        if let template { note("dialogues are rendered with the chat template \(template)") }
        for remark in report.remarks { warn(remark) }
        let leftOut = report.problems.filter { !$0.isUsed }
        for problem in leftOut.prefix(limit) { note("  \(problem.place) \(problem.reason)") }
        if report.skipped > limit { note("  … and \(report.skipped - limit) more") }
    }
}

/// Reports everything as events of a run.
struct EventLog: SessionLog {
    private let send: @Sendable (RunEvent) -> Void

    init(_ send: @escaping @Sendable (RunEvent) -> Void) { self.send = send }

    func note(_ text: String) { send(.notice(text)) }
    func warn(_ text: String) { send(.warning(text)) }
    func observers(showsProgress: Bool) -> [any RunObserver] { [Sender(send: send)] }

    private struct Sender: RunObserver {
        let send: @Sendable (RunEvent) -> Void

        func observe(_ event: RunEvent) { send(event) }
    }
}
