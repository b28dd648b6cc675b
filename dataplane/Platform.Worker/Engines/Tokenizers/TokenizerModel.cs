using System.Text;

namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Everything a <see cref="Tokenizer"/> needs, in the form in which it uses it.</summary>
internal sealed class TokenizerModel
{
    public TokenizerModel(Dictionary<string, int> vocabulary, IReadOnlyList<AddedToken> addedTokens)
    {
        Vocabulary = vocabulary;
        AddedTokens = addedTokens;
        IdLimit = 1 + vocabulary.Values.Concat(addedTokens.Select(token => token.Id)).DefaultIfEmpty(-1).Max();
        Bytes = new byte[IdLimit][];
        Array.Fill(Bytes, []);
        foreach (var (entry, id) in vocabulary)
        {
            Bytes[id] = ByteAlphabet.ToBytes(entry) ?? Encoding.UTF8.GetBytes(entry);
        }

        foreach (var token in addedTokens)
        {
            Bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
        }

        ByteIds = new int[256];
        for (var value = 0; value < 256; value++)
        {
            ByteIds[value] = vocabulary.GetValueOrDefault(ByteAlphabet.ToCharacter((byte)value).ToString(), -1);
        }
    }

    /// <summary>Entry, spelled in the <see cref="ByteAlphabet"/>, to token id.</summary>
    public Dictionary<string, int> Vocabulary { get; }

    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>One more than the largest token id.</summary>
    public int IdLimit { get; }

    /// <summary>Token id to bytes.</summary>
    public byte[][] Bytes { get; }

    /// <summary>Byte to token id; -1 where the vocabulary has none.</summary>
    public int[] ByteIds { get; }

    public required Dictionary<(int Left, int Right), (int Rank, int Id)> Merges { get; init; }

    public required WordSplitter Splitter { get; init; }

    /// <summary>A word that is in the vocabulary as a whole is not built by merges (Llama 3).</summary>
    public bool IgnoreMerges { get; init; }

    public bool AddPrefixSpace { get; init; }

    /// <summary>Special tokens before an encoded text.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>Special tokens after an encoded text.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];
}
