namespace Platform.Local.Sidecar.Configuration;

/// <summary>The operations of one access policy, found by path as daprd finds them.</summary>
/// <remarks>
/// Paths count without regard to case. A star that is a whole segment stands for the last segment of a path or for none, two stars for any rest, a star within a segment for any
/// characters there. What was written first wins. An operation without a star also holds for everything below its path.
/// </remarks>
internal sealed class OperationTree
{
    private const string OneSegment = "*";
    private const string AnyRest = "**";
    private readonly Node _root = new("");

    /// <summary>Adds an operation; a path that is there already keeps what it has.</summary>
    public void Add(string path, AccessOperation operation)
    {
        var node = _root;
        foreach (var segment in SegmentsOf(path))
        {
            var next = node.Children.Find(child => child.Segment == segment);
            if (next is null)
            {
                node.Children.Add(next = new Node(segment));
            }

            node = next;
        }

        node.Operation ??= operation;
    }

    /// <summary>The operation that decides about a path; null if none does.</summary>
    public AccessOperation? Find(string path)
    {
        var node = _root;
        var segments = SegmentsOf(path);
        for (var i = 0; i < segments.Length; i++)
        {
            var isLast = i == segments.Length - 1;
            if (Below(node, segments[i], isLast) is not { } next)
            {
                return null;
            }

            node = next;
            if (node.Operation is { } found)
            {
                if (isLast || node.Segment != OneSegment)
                {
                    return found;
                }
            }
            else if (isLast)
            {
                return Below(node, OneSegment, isLast)?.Operation; // A star also stands for nothing.
            }
        }

        return null;
    }

    private static string[] SegmentsOf(string path) => path.TrimStart('/').ToLowerInvariant().Split('/');

    private static Node? Below(Node node, string segment, bool isLast) => node.Children.Find(child =>
        child.Segment == segment || (child.Segment == OneSegment ? isLast : child.Segment == AnyRest || Fits(segment, child.Segment)));

    /// <summary>Whether a segment is what a pattern with stars says.</summary>
    private static bool Fits(ReadOnlySpan<char> segment, ReadOnlySpan<char> pattern)
    {
        var star = pattern.IndexOf('*');
        if (star < 0)
        {
            return segment.SequenceEqual(pattern);
        }

        if (!segment.StartsWith(pattern[..star]))
        {
            return false;
        }

        var rest = segment[star..];
        var after = pattern[(star + 1)..];
        for (var skipped = 0; skipped <= rest.Length; skipped++)
        {
            if (Fits(rest[skipped..], after))
            {
                return true;
            }
        }

        return false;
    }

    private sealed class Node(string segment)
    {
        public string Segment => segment;

        public List<Node> Children { get; } = [];

        public AccessOperation? Operation { get; set; }
    }
}

/// <summary>What holds for one path: the verbs that are named, and whether they may pass.</summary>
internal sealed record AccessOperation(IReadOnlyList<string> Verbs, bool IsAllowed)
{
    /// <summary>Whether it says anything about a verb.</summary>
    public bool Takes(string verb) => Verbs.Contains(verb) || Verbs.Contains("*");
}
