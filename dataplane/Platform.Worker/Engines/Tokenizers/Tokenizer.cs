using System.Text;

namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Byte-level byte pair encoding, as a Hugging Face <c>tokenizer.json</c> describes it.</summary>
/// <remarks>Immutable; safe for any number of threads. What <c>tokenizer.json</c> may say is in <see cref="TokenizerFile"/>.</remarks>
internal sealed class Tokenizer
{
    private readonly TokenizerModel _model;
    private readonly BytePairMerger _merger;
    private readonly AddedTokens _added;
    private readonly Dictionary<int, AddedToken> _addedById;

    public Tokenizer(TokenizerModel model)
    {
        _model = model;
        _merger = new BytePairMerger(model.Merges);
        _added = new AddedTokens(model.AddedTokens);
        _addedById = model.AddedTokens.ToDictionary(token => token.Id);
    }

    /// <summary>One more than the largest token id.</summary>
    public int IdLimit => _model.IdLimit;

    /// <summary>Id of the token that this text stands for as a whole, added tokens first; null if there is none.</summary>
    public int? IdOf(string content) =>
        _model.AddedTokens.FirstOrDefault(token => token.Content == content)?.Id
        ?? (_model.Vocabulary.TryGetValue(ByteAlphabet.ToEntry(Encoding.UTF8.GetBytes(content)), out var id) ? id : null);

    /// <summary>True for tokens that are no part of decoded text.</summary>
    public bool IsSpecial(int id) => _addedById.TryGetValue(id, out var token) && token.Special;

    /// <summary>True if this text is a special token.</summary>
    public bool IsSpecial(string content) => _model.AddedTokens.Any(token => token.Special && token.Content == content);

    /// <summary>The token ids of a text. A lone surrogate counts as U+FFFD.</summary>
    /// <param name="text">Any text; added tokens in it are found.</param>
    /// <param name="addSpecialTokens">Also add what the post-processor puts around a text, usually a token that begins it.</param>
    /// <exception cref="EngineException">The pre-tokenizer's own regular expression took too long.</exception>
    public List<int> Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>((text.Length / 3) + 8);
        if (addSpecialTokens)
        {
            ids.AddRange(_model.Prefix);
        }

        for (var start = 0; start < text.Length;)
        {
            var at = _added.Find(text, start, out var token);
            var end = at < 0 ? text.Length : at;
            var next = at < 0 ? text.Length : at + token!.Content.Length;
            while (token is { StripLeft: true } && end > start && char.IsWhiteSpace(text[end - 1]))
            {
                end--;
            }

            while (token is { StripRight: true } && next < text.Length && char.IsWhiteSpace(text[next]))
            {
                next++;
            }

            EncodeStretch(text[start..end], ids);
            if (token is not null)
            {
                ids.Add(token.Id);
            }

            start = next;
        }

        if (addSpecialTokens)
        {
            ids.AddRange(_model.Suffix);
        }

        return ids;
    }

    /// <summary>The bytes that a token stands for; none for special tokens and for ids that the vocabulary leaves out.</summary>
    public ReadOnlySpan<byte> BytesOf(int id) => IsSpecial(id) ? [] : RawBytesOf(id);

    /// <summary>As <see cref="BytesOf"/>, but special tokens stand for their own names.</summary>
    public ReadOnlySpan<byte> RawBytesOf(int id) => (uint)id >= (uint)_model.Bytes.Length ? [] : _model.Bytes[id];

    /// <summary>The text of tokens, special ones left out; bytes that are no UTF-8 become U+FFFD.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            bytes.AddRange(BytesOf(id));
        }

        return Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes));
    }

    private void EncodeStretch(string text, List<int> ids)
    {
        if (text.Length == 0)
        {
            return;
        }

        if (_model.AddPrefixSpace && !text.StartsWith(' '))
        {
            text = " " + text;
        }

        var ends = new List<int>();
        try
        {
            _model.Splitter.Split(text, ends);
        }
        catch (System.Text.RegularExpressions.RegexMatchTimeoutException error)
        {
            throw new EngineException(Platform.Jobs.ErrorCodes.InvalidRequest, "The prompt takes this model's pre-tokenizer more than two seconds to split. Break up its longest stretch without spaces.", error);
        }

        var begin = 0;
        foreach (var end in ends)
        {
            EncodeWord(text.AsSpan(begin, end - begin), ids);
            begin = end;
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        var byteCount = Encoding.UTF8.GetByteCount(word);
        Span<byte> bytes = byteCount <= 512 ? stackalloc byte[byteCount] : new byte[byteCount];
        Encoding.UTF8.GetBytes(word, bytes);
        if (_model.IgnoreMerges && _model.Vocabulary.TryGetValue(ByteAlphabet.ToEntry(bytes), out var whole))
        {
            ids.Add(whole);
            return;
        }

        Span<int> symbols = byteCount <= 512 ? stackalloc int[byteCount] : new int[byteCount];
        var count = 0;
        foreach (var value in bytes)
        {
            // As in the reference implementation, a byte that the vocabulary cannot spell is dropped; only vocabularies that were cut down lack any.
            if (_model.ByteIds[value] >= 0)
            {
                symbols[count++] = _model.ByteIds[value];
            }
        }

        _merger.Merge(symbols[..count], ids);
    }
}
