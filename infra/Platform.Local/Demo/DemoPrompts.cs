namespace Platform.Local.Demo;

/// <summary>The prompts of the demo's jobs: beginnings of stories.</summary>
internal static class DemoPrompts
{
    private static readonly string[] Beginnings = ["Once upon a time", "One day", "In a quiet village", "The little fox"];

    /// <summary>The prompt of an item.</summary>
    public static string At(int item) => Beginnings[item % Beginnings.Length];
}
