using System.Runtime.InteropServices;
using System.Text;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Training;

/// <summary>Learns a byte-level BPE vocabulary: 256 bytes, then one entry per merge, then the token that ends a text.</summary>
/// <remarks>Deterministic: the most frequent pair first, among equals the one with the smallest ids.</remarks>
internal static class BpeTrainer
{
    /// <summary>Separates texts in the training text, and ends them in generation.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>Learns merges from a text.</summary>
    /// <param name="text">Texts with <see cref="EndOfText"/> between them.</param>
    /// <param name="vocabularySize">257 or more; fewer come out if the text has no pair left that occurs twice.</param>
    public static LearnedVocabulary Train(string text, int vocabularySize)
    {
        var words = CountWords(text);
        var merges = new List<(int Left, int Right)>();
        var entries = Enumerable.Range(0, 256).Select(value => new[] { (byte)value }).ToList();
        var pairs = new Dictionary<(int Left, int Right), long>();
        var holders = new Dictionary<(int Left, int Right), HashSet<int>>();
        for (var w = 0; w < words.Count; w++)
        {
            Count(words[w], w, 1, pairs, holders);
        }

        while (entries.Count < vocabularySize - 1)
        {
            var best = pairs.Where(pair => pair.Value > 1).OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).FirstOrDefault();
            if (best.Value == 0)
            {
                break;
            }

            merges.Add(best.Key);
            entries.Add([.. entries[best.Key.Left], .. entries[best.Key.Right]]);
            foreach (var w in holders[best.Key].ToList())
            {
                Count(words[w], w, -1, pairs, holders);
                words[w].Join(best.Key, entries.Count - 1);
                Count(words[w], w, 1, pairs, holders);
            }
        }

        return new LearnedVocabulary(entries, merges);
    }

    private static List<Word> CountWords(string text)
    {
        var splitter = WordSplitter.For(WordSplitter.Gpt2Pattern);
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var ends = new List<int>();
        foreach (var part in text.Split(EndOfText))
        {
            ends.Clear();
            splitter.Split(part, ends);
            var begin = 0;
            foreach (var end in ends)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, part[begin..end], out _)++;
                begin = end;
            }
        }

        return [.. counts.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => new Word([.. Encoding.UTF8.GetBytes(entry.Key).Select(value => (int)value)], entry.Value))];
    }

    private static void Count(Word word, int index, int sign, Dictionary<(int Left, int Right), long> pairs, Dictionary<(int Left, int Right), HashSet<int>> holders)
    {
        for (var i = 0; i < word.Symbols.Count - 1; i++)
        {
            var pair = (word.Symbols[i], word.Symbols[i + 1]);
            CollectionsMarshal.GetValueRefOrAddDefault(pairs, pair, out _) += sign * word.Count;
            if (!holders.TryGetValue(pair, out var set))
            {
                holders.Add(pair, set = []);
            }

            if (sign > 0)
            {
                set.Add(index);
            }
            else
            {
                set.Remove(index);
            }
        }
    }

    private sealed record Word(List<int> Symbols, long Count)
    {
        public void Join((int Left, int Right) pair, int joined)
        {
            for (var i = 0; i < Symbols.Count - 1; i++)
            {
                if (Symbols[i] == pair.Left && Symbols[i + 1] == pair.Right)
                {
                    Symbols[i] = joined;
                    Symbols.RemoveAt(i + 1);
                }
            }
        }
    }
}

/// <summary>What <see cref="BpeTrainer"/> learned.</summary>
/// <param name="Entries">Bytes of each token but the last.</param>
/// <param name="Merges">The pairs in the order in which they were learned; the n-th makes token 256 + n.</param>
internal sealed record LearnedVocabulary(IReadOnlyList<byte[]> Entries, IReadOnlyList<(int Left, int Right)> Merges)
{
    /// <summary>The token that ends a text: the last.</summary>
    public int EndOfTextId => Entries.Count;

    /// <summary>Tokens in all.</summary>
    public int Size => Entries.Count + 1;
}
