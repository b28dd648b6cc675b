using System.Text;

namespace Platform.Worker.Jobs.Exec;

/// <summary>Reads lines of bounded length: a longer one comes in pieces.</summary>
internal static class LineReader
{
    private const int MaxLineCharacters = 8192;

    public static async Task ReadAsync(StreamReader reader, Action<string> line)
    {
        var buffer = new char[4096];
        var rest = new StringBuilder();
        while (true)
        {
            int read;
            try
            {
                read = await reader.ReadAsync(buffer);
            }
            catch (IOException)
            {
                read = 0;
            }

            if (read == 0)
            {
                break;
            }

            foreach (var character in buffer.AsMemory(0, read).ToArray())
            {
                if (character == '\n' || rest.Length == MaxLineCharacters)
                {
                    line(rest.ToString());
                    rest.Clear();
                }

                if (character is not '\n' and not '\r')
                {
                    rest.Append(character);
                }
            }
        }

        if (rest.Length > 0)
        {
            line(rest.ToString());
        }
    }
}
