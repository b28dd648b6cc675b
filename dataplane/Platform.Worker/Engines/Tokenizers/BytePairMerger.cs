namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Byte pair encoding of one word: joins the adjacent pair that was learned first, again and again (Sennrich et al. 2016).</summary>
/// <remarks>O(n log n) in the bytes of the word, so that a megabyte without a space is no attack.</remarks>
internal sealed class BytePairMerger
{
    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> _merges;

    /// <param name="merges">For each pair of tokens that joins: its rank (0 was learned first) and the token it becomes.</param>
    public BytePairMerger(Dictionary<(int Left, int Right), (int Rank, int Id)> merges) => _merges = merges;

    /// <summary>Merges <paramref name="symbols"/> as far as possible and appends the result.</summary>
    /// <param name="symbols">One token per byte; used as working memory.</param>
    /// <param name="output">Receives the tokens.</param>
    public void Merge(Span<int> symbols, List<int> output)
    {
        if (symbols.Length <= 48)
        {
            MergeShort(symbols, output);
        }
        else
        {
            MergeLong(symbols, output);
        }
    }

    private void MergeShort(Span<int> symbols, List<int> output)
    {
        var count = symbols.Length;
        while (count > 1)
        {
            var best = (Rank: int.MaxValue, Id: -1);
            var at = -1;
            for (var i = 0; i < count - 1; i++)
            {
                if (_merges.TryGetValue((symbols[i], symbols[i + 1]), out var merge) && merge.Rank < best.Rank)
                {
                    best = merge;
                    at = i;
                }
            }

            if (at < 0)
            {
                break;
            }

            symbols[at] = best.Id;
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
            count--;
        }

        output.AddRange(symbols[..count]);
    }

    private void MergeLong(Span<int> symbols, List<int> output)
    {
        var next = new int[symbols.Length];
        var previous = new int[symbols.Length];
        var queue = new PriorityQueue<(int At, int Left, int Right, int Id), (int Rank, int At)>();
        for (var i = 0; i < symbols.Length; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
        }

        for (var i = 0; i < symbols.Length - 1; i++)
        {
            Enqueue(queue, i, symbols[i], symbols[i + 1]);
        }

        while (queue.TryDequeue(out var candidate, out _))
        {
            var right = next[candidate.At];
            // A pair that has since become part of another token is stale.
            if (right >= symbols.Length || symbols[candidate.At] != candidate.Left || symbols[right] != candidate.Right)
            {
                continue;
            }

            symbols[candidate.At] = candidate.Id;
            symbols[right] = -1;
            next[candidate.At] = next[right];
            if (next[right] < symbols.Length)
            {
                previous[next[right]] = candidate.At;
                Enqueue(queue, candidate.At, candidate.Id, symbols[next[right]]);
            }

            if (previous[candidate.At] >= 0)
            {
                Enqueue(queue, previous[candidate.At], symbols[previous[candidate.At]], candidate.Id);
            }
        }

        for (var i = 0; i < symbols.Length; i = next[i])
        {
            output.Add(symbols[i]);
        }
    }

    private void Enqueue(PriorityQueue<(int At, int Left, int Right, int Id), (int Rank, int At)> queue, int at, int left, int right)
    {
        if (_merges.TryGetValue((left, right), out var merge))
        {
            queue.Enqueue((at, left, right, merge.Id), (merge.Rank, at));
        }
    }
}
