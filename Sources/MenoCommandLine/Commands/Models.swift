import ArgumentParser
import Foundation
import Meno
import MenoHub
import MenoModels

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists, downloads and removes models.",
        subcommands: [List.self, Fetch.self, Remove.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the models that have a short name, and the models in the Hub's cache with their sizes.")

        func run() throws {
            try reportingErrors {
                for model in CatalogModel.all {
                    print(
                        "\(model.name)\t\(model.description)\t\(model.license)\t"
                            + "\(model.isFetched ? model.url.path : "not fetched")")
                }
                for model in CachedModel.all(in: try HubSettings().cache) { show(model) }
            }
        }

        private func show(_ model: CachedModel) {
            for revision in model.revisions {
                let names = revision.names.isEmpty ? "" : " (\(revision.names.joined(separator: ", ")))"
                print(
                    "\(model.id)\t\(ByteText.english(revision.size)) in \(revision.files.count) files\t"
                        + "\(revision.commit)\(names)\t\(model.folder.path)")
            }
            if model.incomplete > 0 {
                print(
                    "\(model.id)\t\(ByteText.english(model.incomplete)) of interrupted downloads\t\t\(model.folder.path)"
                )
            }
        }
    }

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Downloads a model into the cache.",
            discussion: """
                A name from `meno models list`, or a Hugging Face id: org/name, org/name@revision, org/name:file.gguf or org/name:Q4_K_M. \
                If the model is in the cache, a newer version of its branch is downloaded. \
                datasets/org/name is a dataset.

                Other commands ask before they download a model with a short name; with MENO_ASSUME_YES=1 they do not ask. They \
                download a model with a Hugging Face id when they need it.
                """)

        @Argument(help: "A name from `meno models list`, or a Hugging Face id.") var name: String

        func run() throws {
            try reportingErrors {
                if let dataset = DatasetReference.named(name) {
                    let snapshot = try Hub(HubSettings()).locate(dataset, .dataset, isRenewed: true, log: ConsoleLog())
                    return print(DatasetReference.place(of: dataset, in: snapshot))
                }
                switch try ModelReference(name) {
                case .path(let url): print(url.path)
                case .named(let model):
                    try model.fetch()
                    print(model.url.path)
                case .hub(let reference):
                    let hub = Hub(try HubSettings())
                    print(try hub.locate(reference, isRenewed: true, log: ConsoleLog()).url.path)
                }
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Removes a model from the cache.",
            discussion: """
                org/name removes every revision of a model; org/name@revision removes one and keeps the files that it shares with others. \
                with it stays. Hugging Face's other programs use the same cache.
                """)

        @Argument(help: "A name from `meno models list`, or a Hugging Face id.") var name: String
        @Flag(help: "Do not ask for confirmation.") var yes = false

        func run() throws {
            try reportingErrors {
                switch try ModelReference(name) {
                case .path(let url):
                    throw ModelError(
                        .unsupported, at: url.path,
                        "is your own file or folder; only downloaded models are removed.")
                case .named(let model):
                    guard model.isFetched else { throw model.absence }
                    guard model.isFileFetched else { return try remove(model.hub) }
                    let size = (try? model.url.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0
                    guard try isAgreed(size) else { return }
                    try FileManager.default.removeItem(at: model.url)
                    print("\(ByteText.english(size)) freed")
                case .hub(let reference): try remove(reference)
                }
            }
        }

        private func remove(_ reference: HubReference) throws {
            let removal = try CacheRemoval(reference, in: try HubSettings().cache)
            guard try isAgreed(removal.size) else { return }
            try removal.run()
            print("\(ByteText.english(removal.size)) freed")
        }

        private func isAgreed(_ size: Int) throws -> Bool {
            if yes { return true }
            switch Consent.ask("Remove \(name) (\(ByteText.english(size)))?") {
            case .yes: return true
            case .no: return false
            case .unasked:
                throw HubError(
                    .badSetting, at: name, "was not removed, because there is no terminal to ask for confirmation.",
                    advice: "Give --yes.")
            }
        }
    }
}
