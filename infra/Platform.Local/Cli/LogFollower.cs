namespace Platform.Local.Cli;

/// <summary>Shows the lines of all processes on standard error, each with its process's name in a colour of its own.</summary>
internal static class LogFollower
{
    private static readonly string[] Colours = ["36", "33", "35", "32", "34", "96"];
    private static readonly bool Coloured = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null;
    private static readonly Dictionary<string, string> Prefixes = [];
    private static readonly Lock Gate = new();

    public static void Write(string name, string line)
    {
        lock (Gate)
        {
            if (!Prefixes.TryGetValue(name, out var prefix))
            {
                prefix = Coloured ? $"\u001b[{Colours[Prefixes.Count % Colours.Length]}m{name,-9}\u001b[0m | " : $"{name,-9} | ";
                Prefixes.Add(name, prefix);
            }

            Console.Error.WriteLine(prefix + line);
        }
    }
}
