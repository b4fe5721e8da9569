internal import Foundation
internal import MenoTokenizers

/// The tokenizer and chat template saved beside an adapter by Meno, TRL or PEFT.
struct SavedTokenizer {
    let tokenizer: Tokenizer
    /// The folder of `tokenizer.json`; `nil`: the model's tokenizer is used.
    let url: URL?
    /// The Jinja template; `nil` if there is none beside the adapter.
    let template: String?
    /// Why the adapter's tokenizer is not used although there is one.
    let fault: String?

    init(beside adapter: URL, base: Tokenizer) {
        let hasFile = { (name: String) in
            FileManager.default.fileExists(atPath: adapter.appending(path: name).path)
        }
        let file = adapter.appending(path: TokenizerFiles.templateName)
        let text = try? String(contentsOf: file, encoding: .utf8)
        guard hasFile("tokenizer.json") else {
            tokenizer = base.saved(besideAdapterOf: base, template: text)
            (url, template, fault) = (nil, text, nil)
            return
        }
        do {
            let own = try Tokenizer.load(adapter)
            template = text ?? own.chatTemplateSource
            tokenizer = own.saved(besideAdapterOf: base, template: template ?? base.chatTemplateSource)
            (url, fault) = (adapter, nil)
        } catch {
            tokenizer = base.saved(besideAdapterOf: base, template: text)
            (url, template, fault) = (nil, text, "\(error)")
        }
    }
}
