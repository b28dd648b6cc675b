namespace Platform.Dapr.Http;

/// <summary>Carries the id of the running actor call chain from the incoming turn to every call that the turn makes.</summary>
internal static class Reentrancy
{
    private static readonly AsyncLocal<string?> Id = new();

    public static string? CurrentId
    {
        get => Id.Value;
        set => Id.Value = value;
    }
}
