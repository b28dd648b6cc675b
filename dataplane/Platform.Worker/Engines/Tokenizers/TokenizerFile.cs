using System.Text.Json;

namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c> of the Hugging Face tokenizers library, as far as byte-level BPE needs it.</summary>
/// <remarks>
/// Taken: model <c>BPE</c> (merges as strings or pairs, <c>ignore_merges</c>); normalizers none and NFC (prompts are taken to be in NFC, as nearly all text is: the runtime cannot compose characters without ICU); pre-tokenizers <c>ByteLevel</c>, and <c>Split</c> by a pattern followed by
/// <c>ByteLevel</c>; post-processors <c>ByteLevel</c> and <c>TemplateProcessing</c>; decoder <c>ByteLevel</c>. Anything else is refused by name, since ignoring it would give other tokens.
/// </remarks>
internal static class TokenizerFile
{
    private const int MaxId = 4_000_000;

    /// <summary>Reads the file.</summary>
    /// <exception cref="EngineException">It is not JSON, or it describes a tokenizer of another kind.</exception>
    public static Tokenizer Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return new Tokenizer(ReadModel(document.RootElement));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new EngineException(Platform.Jobs.ErrorCodes.ModelInvalid, $"tokenizer.json is not a Hugging Face tokenizer file: {error.Message}", error);
        }
    }

    private static TokenizerModel ReadModel(JsonElement root)
    {
        if (!root.TryGetProperty("model", out var model))
        {
            throw EngineException.ModelInvalid("tokenizer.json has no 'model'; expected a Hugging Face tokenizer file.");
        }

        // Files of the library's early days leave the type out.
        var type = TypeOf(model) ?? (model.TryGetProperty("merges", out _) ? "BPE" : "unnamed");
        if (type != "BPE" || Flag(model, "byte_fallback") || IsSet(model, "continuing_subword_prefix") || IsSet(model, "end_of_word_suffix"))
        {
            throw EngineException.ModelInvalid($"tokenizer.json has a model of the kind '{type}'{(type == "BPE" ? " with byte fallback or word affixes" : "")}; supported: byte-level BPE.");
        }

        var vocabulary = ReadVocabulary(model.GetProperty("vocab"));
        var added = ReadAddedTokens(root);
        var (splitter, prefixSpace) = ReadPreTokenizer(root);
        var (prefix, suffix) = ReadPostProcessor(root);
        CheckNormalizer(root);
        CheckDecoder(root);
        var known = new TokenizerModel(vocabulary, added)
        {
            Merges = ReadMerges(model.GetProperty("merges"), vocabulary),
            IgnoreMerges = Flag(model, "ignore_merges"),
            Splitter = splitter,
            AddPrefixSpace = prefixSpace,
            Prefix = prefix,
            Suffix = suffix,
        };

        // They become tokens of every prompt, and the engine looks up what a token is without asking whether it exists.
        return prefix.Concat(suffix).Where(id => id < 0 || id >= known.IdLimit).Select(static id => (int?)id).FirstOrDefault() is not { } stray
            ? known
            : throw EngineException.ModelInvalid($"tokenizer.json: the post-processor adds token {stray}, which is neither in the vocabulary nor among the added tokens; their ids end at {known.IdLimit - 1}.");
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement element)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in element.EnumerateObject())
        {
            vocabulary[entry.Name] = CheckedId(entry.Value.GetInt32(), entry.Name);
        }

        return vocabulary;
    }

    private static int CheckedId(int id, string content) => id is >= 0 and < MaxId
        ? id
        : throw EngineException.ModelInvalid($"tokenizer.json gives '{content}' the id {id}; expected 0 to {MaxId - 1}.");

    private static Dictionary<(int Left, int Right), (int Rank, int Id)> ReadMerges(JsonElement element, Dictionary<string, int> vocabulary)
    {
        var merges = new Dictionary<(int Left, int Right), (int Rank, int Id)>(element.GetArrayLength());
        var rank = 0;
        foreach (var merge in element.EnumerateArray())
        {
            var (left, right) = ReadMerge(merge, rank);
            if (!vocabulary.TryGetValue(left, out var leftId) || !vocabulary.TryGetValue(right, out var rightId) || !vocabulary.TryGetValue(left + right, out var joined))
            {
                throw EngineException.ModelInvalid($"tokenizer.json: merge {rank}, '{left}' with '{right}', uses or makes an entry that is not in the vocabulary.");
            }

            merges.TryAdd((leftId, rightId), (rank, joined));
            rank++;
        }

        return merges;
    }

    private static (string Left, string Right) ReadMerge(JsonElement merge, int rank)
    {
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
        {
            return (Text(merge[0]), Text(merge[1]));
        }

        var parts = Text(merge).Split(' ');
        return parts.Length == 2 ? (parts[0], parts[1]) : throw EngineException.ModelInvalid($"tokenizer.json: merge {rank} is '{merge.GetString()}'; expected two entries with a space between them.");
    }

    private static List<AddedToken> ReadAddedTokens(JsonElement root)
    {
        var tokens = new List<AddedToken>();
        if (!root.TryGetProperty("added_tokens", out var list) || list.ValueKind == JsonValueKind.Null)
        {
            return tokens;
        }

        foreach (var token in list.EnumerateArray())
        {
            var content = Text(token.GetProperty("content"));
            if (content.Length == 0 || Flag(token, "single_word"))
            {
                throw EngineException.ModelInvalid($"tokenizer.json: added token '{content}' is empty or matches single words only, which is not supported.");
            }

            tokens.Add(new AddedToken(CheckedId(token.GetProperty("id").GetInt32(), content), content, Flag(token, "special"), Flag(token, "lstrip"), Flag(token, "rstrip")));
        }

        return tokens.DistinctBy(token => token.Id).ToList();
    }

    private static (WordSplitter Splitter, bool PrefixSpace) ReadPreTokenizer(JsonElement root)
    {
        string? pattern = null;
        var byteLevel = false;
        var prefixSpace = false;
        foreach (var step in Steps(root, "pre_tokenizer", "pretokenizers"))
        {
            var type = TypeOf(step);
            if (type == "Split" && pattern is null && !byteLevel && !Flag(step, "invert") && step.GetProperty("behavior").GetString() == "Isolated")
            {
                var match = step.GetProperty("pattern");
                pattern = match.TryGetProperty("Regex", out var regex) ? Text(regex) : System.Text.RegularExpressions.Regex.Escape(Text(match.GetProperty("String")));
            }
            else if (type == "ByteLevel" && !byteLevel)
            {
                byteLevel = true;
                prefixSpace = Flag(step, "add_prefix_space");
                if (!step.TryGetProperty("use_regex", out var useRegex) || useRegex.GetBoolean())
                {
                    pattern = pattern is null ? WordSplitter.Gpt2Pattern : throw EngineException.ModelInvalid("tokenizer.json: the pre-tokenizer splits by two patterns one after the other, which is not supported.");
                }
            }
            else
            {
                throw EngineException.ModelInvalid($"tokenizer.json has the pre-tokenizer step '{type}'; supported: ByteLevel, or Split by a pattern (isolated, not inverted) and then ByteLevel.");
            }
        }

        if (!byteLevel)
        {
            throw EngineException.ModelInvalid("tokenizer.json has no ByteLevel pre-tokenizer; supported: byte-level BPE.");
        }

        return (pattern is null ? WordSplitter.None : WordSplitter.For(pattern), prefixSpace);
    }

    private static void CheckNormalizer(JsonElement root)
    {
        foreach (var step in Steps(root, "normalizer", "normalizers"))
        {
            if (TypeOf(step) != "NFC")
            {
                throw EngineException.ModelInvalid($"tokenizer.json has the normalizer '{TypeOf(step)}'; supported: none, NFC.");
            }
        }
    }

    private static (List<int> Prefix, List<int> Suffix) ReadPostProcessor(JsonElement root)
    {
        List<int> prefix = [];
        List<int> suffix = [];
        foreach (var step in Steps(root, "post_processor", "processors"))
        {
            var type = TypeOf(step);
            if (type == "TemplateProcessing")
            {
                ReadTemplate(step, prefix, suffix);
            }
            else if (type != "ByteLevel")
            {
                throw EngineException.ModelInvalid($"tokenizer.json has the post-processor '{type}'; supported: ByteLevel, TemplateProcessing.");
            }
        }

        return (prefix, suffix);
    }

    private static void ReadTemplate(JsonElement step, List<int> prefix, List<int> suffix)
    {
        var target = prefix;
        foreach (var piece in step.GetProperty("single").EnumerateArray())
        {
            if (piece.TryGetProperty("SpecialToken", out var special))
            {
                target.AddRange(step.GetProperty("special_tokens").GetProperty(Text(special.GetProperty("id"))).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
            }
            else
            {
                target = suffix;
            }
        }
    }

    private static void CheckDecoder(JsonElement root)
    {
        foreach (var step in Steps(root, "decoder", "decoders"))
        {
            if (TypeOf(step) != "ByteLevel")
            {
                throw EngineException.ModelInvalid($"tokenizer.json has the decoder '{TypeOf(step)}'; supported: ByteLevel.");
            }
        }
    }

    /// <summary>The steps of a member that is absent, a single step, or a Sequence of them.</summary>
    private static List<JsonElement> Steps(JsonElement root, string member, string listMember)
    {
        if (!root.TryGetProperty(member, out var step) || step.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return TypeOf(step) == "Sequence" ? [.. step.GetProperty(listMember).EnumerateArray()] : [step];
    }

    private static string Text(JsonElement element) => element.GetString() ?? throw new InvalidOperationException("null stands where a text is expected.");

    private static string? TypeOf(JsonElement element) => element.TryGetProperty("type", out var type) ? type.GetString() : null;

    private static bool Flag(JsonElement element, string member) => element.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.True;

    private static bool IsSet(JsonElement element, string member) => element.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() != "";
}
