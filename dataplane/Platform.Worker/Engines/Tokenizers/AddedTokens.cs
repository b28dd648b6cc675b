namespace Platform.Worker.Engines.Tokenizers;

/// <summary>A token that is found in the text before anything else, such as <c>&lt;|endoftext|&gt;</c>.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Content">The text that stands for it.</param>
/// <param name="Special">True: not part of decoded text.</param>
/// <param name="StripLeft">Takes the white space before it with it.</param>
/// <param name="StripRight">Takes the white space after it with it.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool StripLeft, bool StripRight);

/// <summary>Finds added tokens in text: leftmost first, the longest where several begin.</summary>
internal sealed class AddedTokens
{
    private readonly AddedToken[] _tokens;
    private readonly System.Buffers.SearchValues<char> _firstCharacters;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        _tokens = [.. tokens.OrderByDescending(token => token.Content.Length)];
        _firstCharacters = System.Buffers.SearchValues.Create([.. _tokens.Select(token => token.Content[0]).Distinct()]);
    }

    /// <summary>The added tokens, longest first.</summary>
    public IReadOnlyList<AddedToken> All => _tokens;

    /// <summary>The first added token at or after <paramref name="start"/>.</summary>
    /// <returns>Where it begins; -1 if there is none.</returns>
    public int Find(string text, int start, out AddedToken? found)
    {
        for (var index = start; index < text.Length; index++)
        {
            var step = text.AsSpan(index).IndexOfAny(_firstCharacters);
            if (step < 0)
            {
                break;
            }

            index += step;
            foreach (var token in _tokens)
            {
                if (text.AsSpan(index).StartsWith(token.Content, StringComparison.Ordinal))
                {
                    found = token;
                    return index;
                }
            }
        }

        found = null;
        return -1;
    }
}
