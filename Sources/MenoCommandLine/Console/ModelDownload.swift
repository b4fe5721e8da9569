import Foundation
import Meno
import MenoHub
import MenoModels

extension CatalogModel {
    /// Asks whether to download the model, and downloads it.
    func offerFetch() throws {
        let source = Installation.fetchScript == nil ? "\(hub) of the Hugging Face Hub" : description
        switch Consent.ask("\(name) is not downloaded yet (\(source); license: \(license)). Download it now?") {
        case .yes: try fetch()
        case .no, .unasked:
            throw ModelError(
                .notFound, at: name, "is not downloaded yet: \(source).",
                advice:
                    "Run `meno models fetch \(name)`, or set \(Consent.variable)=1 to have models downloaded as they are "
                    + "needed.")
        }
    }

    /// Downloads the model and verifies its SHA-256: with the checkout's script if there is one, or else from the
    /// Hub.
    func fetch() throws {
        guard !isFetched else { return }
        guard let script = Installation.fetchScript else {
            _ = try Hub(HubSettings()).locate(hub, log: ConsoleLog())
            return
        }
        let process = Process()
        process.executableURL = script
        process.arguments = [name]
        // Standard output is reserved for results.
        process.standardOutput = FileHandle.standardError
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0, isFetched else {
            throw ModelError(.notFound, "\(name) could not be downloaded; see the messages above.")
        }
    }
}
