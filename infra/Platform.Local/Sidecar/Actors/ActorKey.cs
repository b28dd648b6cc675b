using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary>Type and id of an actor.</summary>
internal readonly record struct ActorKey(string Type, string Id)
{
    /// <summary>True for types of the workflow engine, whose state, timers and reminders no app may touch.</summary>
    public bool IsReserved => Type.StartsWith("dapr.internal.", StringComparison.Ordinal);

    /// <summary>Checks names that come from outside: they become parts of keys and of paths at the app.</summary>
    /// <exception cref="DaprErrorException">400.</exception>
    public static ActorKey Of(string type, string id)
    {
        Check("actorType", type);
        Check("actorId", id);
        return new ActorKey(type, id);
    }

    public override string ToString() => $"{Type}||{Id}";

    private static void Check(string what, string name)
    {
        // Empty names, and the separator of keys, daprd lets pass: two actors would share their state.
        var offence = NameRule.Offence(name) ?? (name.Length == 0 ? "name is empty" : name.Contains("||", StringComparison.Ordinal) ? $"name contains '||': \"{name}\"" : null);
        if (offence is not null)
        {
            throw NameRule.Refusal($"invalid {what}: {offence}");
        }
    }
}
