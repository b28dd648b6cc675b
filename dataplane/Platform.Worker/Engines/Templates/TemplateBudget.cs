namespace Platform.Worker.Engines.Templates;

/// <summary>What one rendering may cost. A template comes with the model, from whoever published it: loops within loops, or a text that is doubled again and again, must end.</summary>
/// <remarks>Characters and list items that are made count one each, and a step counts as many as take about as long, so that all of it takes a second or two. The largest chat that a worker takes, 4 MiB, needs some tens of millions.</remarks>
internal sealed class TemplateBudget
{
    /// <summary>Price of a word of an expression.</summary>
    public const int OfAWord = 16;

    /// <summary>Price of a turn of a loop, which has a scope of its own.</summary>
    public const int OfATurn = 256;

    /// <summary>Longest text that may exist.</summary>
    private const long LongestText = 16 << 20;

    private long _left = 1 << 28;

    /// <summary>Pays for a text or list of some length, before it is made where it may be long.</summary>
    /// <exception cref="TemplateException">It is more than a chat needs.</exception>
    public void Spend(long length)
    {
        _left -= length;
        if (length > LongestText || _left < 0)
        {
            throw new TemplateException("it makes more text, or goes through more steps, than any chat needs");
        }
    }
}
