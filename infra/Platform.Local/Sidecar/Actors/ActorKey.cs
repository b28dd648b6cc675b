using System.Buffers;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary>Type and id of an actor.</summary>
internal readonly record struct ActorKey(string Type, string Id)
{
    private static readonly SearchValues<char> Refused = SearchValues.Create("#?\\/\0\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\u007f");

    /// <summary>True for types of the workflow engine, whose state, timers and reminders no app may touch.</summary>
    public bool IsReserved => Type.StartsWith("dapr.internal.", StringComparison.Ordinal);

    /// <summary>Checks names that come from outside: they become parts of keys and of paths at the app.</summary>
    /// <exception cref="DaprErrorException">400.</exception>
    public static ActorKey Of(string type, string id)
    {
        Check("type", type);
        Check("ID", id);
        return new ActorKey(type, id);
    }

    public override string ToString() => $"{Type}||{Id}";

    private static void Check(string what, string name)
    {
        if (name is "" or "." or ".." || name.AsSpan().ContainsAny(Refused) || name.Contains("||", StringComparison.Ordinal))
        {
            throw new DaprErrorException(400, "ERR_BAD_REQUEST", $"invalid actor {what}: it may not be empty, '.', '..', or contain '#', '?', '/', '\\', '||' or control characters");
        }
    }
}
