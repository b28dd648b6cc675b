// Writes the text that the demo model learns: small stories from a grammar of our own, the same ones for a seed.
//
//   dotnet run infra/demo-model/write-stories.cs -- infra/demo-model/stories.txt [stories] [seed]
//
// In a template, [a|b] is one of its parts (they may nest), <list> a fresh word of a list, and {role} what the story has for that role from its first sentence to its last.
#:property PublishAot=false
#:property NoWarn=$(NoWarn);MA0047;MA0009
using System.Text;
using System.Text.RegularExpressions;

if (args.Length is 0 or > 3)
{
    Console.Error.WriteLine("Usage: dotnet run write-stories.cs -- FILE [stories] [seed]");
    return 1;
}

var count = args.Length > 1 ? int.Parse(args[1]) : 1100;
var seed = args.Length > 2 ? ulong.Parse(args[2]) : 1;
var dice = new Dice(seed);
var text = new StringBuilder();
for (var i = 0; i < count; i++)
{
    text.Append(Story.Write(dice)).Append("\n<|endoftext|>\n");
}

File.WriteAllText(args[0], text.ToString());
Console.WriteLine($"{count} stories, {text.Length} characters");
return 0;

/// <summary>SplitMix64: the same numbers in every version of the runtime.</summary>
internal sealed class Dice(ulong seed)
{
    private ulong _state = seed;

    public int Below(int limit)
    {
        _state += 0x9e3779b97f4a7c15;
        var mixed = (_state ^ (_state >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return (int)(((mixed ^ (mixed >> 31)) >> 33) % (ulong)limit);
    }

    public T Of<T>(IReadOnlyList<T> choices) => choices[Below(choices.Count)];
}

internal static partial class Story
{
    private static readonly string[] Girls = ["Anna", "Mia", "Lily", "Rosa", "Nora", "Ella", "Ivy", "Clara", "Zoe", "Maya"];
    private static readonly string[] Boys = ["Tom", "Ben", "Leo", "Max", "Sam", "Finn", "Oscar", "Noah", "Hugo", "Theo"];
    private static readonly string[] AnimalNames = ["Pip", "Momo", "Bruno", "Tilly", "Coco", "Rusty", "Dot", "Biscuit", "Hazel", "Peanut"];
    private static readonly string[] Animals = ["fox", "rabbit", "bear", "mouse", "duck", "hedgehog", "squirrel", "owl", "frog", "cat", "dog", "turtle"];

    private static readonly Dictionary<string, string[]> Lists = new()
    {
        ["size"] = ["little", "small", "young", "tiny"],
        ["nature"] = ["kind", "brave", "shy", "curious", "cheerful", "quiet", "clever", "gentle", "patient", "funny"],
        ["color"] = ["red", "blue", "green", "yellow", "golden", "white", "silver", "brown"],
        ["good"] = ["wonderful", "lovely", "beautiful", "perfect", "good", "fine"],
        ["glad"] = ["happy", "glad", "proud", "full of joy", "very happy"],
        ["sad"] = ["sad", "worried", "lonely", "upset", "very sad"],
        ["weather"] = ["sunny", "windy", "rainy", "cold", "warm", "foggy", "snowy", "bright"],
        ["sky"] = ["The sun was shining", "The birds were singing", "The wind was soft", "The sky was blue", "The air smelled of flowers", "White clouds sailed over the hills"],
        ["walk"] = ["walked", "ran", "hurried", "went", "skipped"],
        ["says"] = ["said", "said", "said", "answered", "replied"],
        ["room"] = ["under the bed", "behind the door", "in the kitchen", "in the garden", "beside the well", "under the old bench", "behind the big stone", "in the tall grass"],
        ["dish"] = ["soup", "pancakes", "bread and honey", "apple pie", "warm milk", "berry cake", "hot chocolate", "roasted nuts"],
    };

    private static readonly string[] Places =
    [
        "a small village", "the green forest", "a house by the sea", "a farmhouse on a hill", "a quiet valley", "a town with a tall clock tower", "a cottage near the lake", "the old garden", "a cave in the mountains", "a tree house by the river",
    ];

    private static readonly string[] Things =
    [
        "red ball", "blue kite", "silver bell", "wooden boat", "yellow hat", "golden key", "green scarf", "small drum", "paper lantern", "shiny shell", "little lamp", "toy train", "picture book", "soft blanket",
    ];

    private static readonly string[] Foods = ["apple", "piece of cheese", "loaf of bread", "bag of nuts", "basket of berries", "slice of cake", "jar of honey", "bowl of rice", "sweet pear", "big carrot"];

    private static readonly (string Do, string Doing, string Did)[] Skills =
    [
        ("swim", "swimming", "swam across the pond"),
        ("whistle", "whistling", "whistled a whole song"),
        ("ride a bike", "riding a bike", "rode the bike all the way down the road"),
        ("climb the tall tree", "climbing the tall tree", "climbed up to the highest branch"),
        ("bake bread", "baking bread", "baked a round and golden loaf"),
        ("play the flute", "playing the flute", "played a sweet song on the flute"),
        ("skate", "skating", "skated in a big circle on the ice"),
        ("draw a horse", "drawing a horse", "drew a horse that looked ready to run"),
        ("read", "reading", "read a whole page"),
        ("dance", "dancing", "danced until the moon came up"),
    ];

    private static readonly (string Thing, string Of, string Use)[] Works =
    [
        ("boat", "old boards and rope", "sailed it on the lake"),
        ("kite", "paper and string", "let it fly high above the hill"),
        ("bridge", "stones and wood", "crossed the river without wet feet"),
        ("snowman", "three big balls of snow", "gave it a hat and a carrot nose"),
        ("bird house", "small boards and nails", "watched a blue bird move in"),
        ("sand castle", "sand and shells", "put a flag on the highest tower"),
        ("swing", "rope and a board", "took turns until the evening"),
        ("garden", "seeds and good earth", "ate the first sweet peas together"),
    ];

    private static readonly string[] Elders = ["Grandma", "Grandpa", "the old baker", "the old fisherman", "the wise owl", "Mother", "Father", "the teacher", "the gardener"];

    private static readonly string[] Openings =
    [
        "Once upon a time, there was a <size> {kind} named {hero}. {He} lived in {place}[.| with {his} family.| and was very <nature>.]",
        "Once upon a time, in {place}, there lived a <nature> {kind}. {His} name was {hero}.",
        "Once upon a time, a <size> {kind} lived in {place}. {His} name was {hero}, and {he} was <nature> and <nature>.",
        "Once upon a time there was a <nature> {kind} who lived in {place}. Everyone called {him} {hero}.",
        "There was once a <size> {kind} called {hero}. {He} lived in {place} and {his} best friend was {friend} the {fkind}.",
        "One <weather> [morning|day|afternoon], a <size> {kind} named {hero} [woke up early|looked out of the window|went outside to play]. <sky>.",
        "One day, {hero} the {kind} [went for a walk|was alone at home|sat by the window|played outside]. It was a <weather> day[.| in {place}.]",
        "{hero} was a <nature> {kind}. {He} lived in {place} with {his} [mother|father|grandma|sister|brother].",
        "Long ago, in {place}, there lived a <size> {kind} named {hero}.",
        "In {place} lived a <nature> {kind}. {His} name was {hero}.",
        "The <size> {kind} was <nature> and <nature>. {His} name was {hero}, and {he} lived in {place}.",
        "A <nature> {kind} named {hero} lived in {place}. Every [morning|day|evening], {he} [sang a song|fed the birds|looked at the hills|said hello to the sun].",
        "Every [morning|evening], {hero} the {kind} [sat by the river|walked in the forest|helped in the garden|looked at the sky]. {He} was <nature> and liked to [sing|dream|laugh|ask questions].",
    ];

    private static readonly string[] Endings =
    [
        "From that day on, {hero} and {friend} were [best friends|the best of friends|always together].",
        "{hero} [smiled|laughed] and was <glad>.",
        "That night, {hero} slept well and dreamed of [the stars|the sea|{friend}|a new day].",
        "And {he} never forgot [that day|what {he} had learned|how kind {friend} had been].",
        "It was the [best|happiest] day of {his} life.",
        "They went home together and ate <dish>.",
        "When the sun went down, they were tired but <glad>.",
        "\"What a <good> day,\" said {hero}.",
        "[They all lived happily ever after.|And they lived happily ever after.]",
        "{hero} went to bed with a smile.",
    ];

    /// <summary>What happens between opening and ending: each plot is a list of steps.</summary>
    private static readonly string[][] Plots =
    [
        [
            "{hero} had a {thing}. [{He} loved it very much.|It was {his} favorite thing.|{He} took it everywhere.]",
            "One day, [the {thing} was gone|{he} could not find it|{he} lost the {thing}]. {hero} [looked|searched] <room> and <room>, but it was not there. {He} was <sad>.",
            "[Then {friend} the {fkind} came by.|Just then, {he} met {friend} the {fkind}.|{friend} the {fkind} heard {him} cry.] \"[Why are you sad?|What is the matter?|Why do you cry?]\" asked {friend}.",
            "\"I lost my {thing},\" said {hero}. \"[Do not worry|Do not cry|Come with me],\" <says> {friend}. \"[I will help you look.|We will find it together.|Two can see more than one.]\"",
            "They looked [everywhere|all day|for a long time]. At last, {friend} found the {thing} <room>. [\"Here it is!\" {fhe} cried.|\"Look!\" {fhe} said. \"Is this your {thing}?\"]",
            "{hero} was <glad>. \"Thank you, {friend},\" {he} said. [They played with the {thing} until the evening.|\"You are a true friend.\"|{He} gave {friend} a big hug.]",
        ],
        [
            "{hero} wanted to {do}. [All the others could do it, but {he} could not.|It looked so easy, but it was not.|{He} thought about it every day.]",
            "{He} tried [once|in the morning], but {he} [fell down|made a mistake|got it wrong]. {He} tried again, but it did not work. \"[I will never learn it|It is too hard|I cannot do it],\" said {hero}, and {he} was <sad>.",
            "{elder} [saw {him}|came and sat down beside {him}|heard this]. \"{doing!} takes time,\" said {elder}. \"[Try a little every day.|Do not give up.|Take it slowly, step by step.|First you fall, then you fly.]\"",
            "So {hero} tried [every day|again the next day, and the next]. {friend} the {fkind} [came to help|watched and clapped|tried it too].",
            "[And one <weather> morning, it worked!|Then, one day, it happened.] {hero} {did}. \"[Look at me!|I can do it!|I did it!]\" {he} [cried|shouted|called].",
            "[Everyone clapped.|{friend} jumped for joy.|{elder} smiled.] {hero} was <glad>, because {he} had not given up.",
        ],
        [
            "One day, {he} had a {food}[.| for lunch.| and wanted to eat it under a tree.] {He} was [very hungry|looking forward to it].",
            "On the way, {he} met {friend} the {fkind}. {friend} [looked thin and tired|sat by the road and looked <sad>|had not eaten all day]. \"I am so hungry,\" said {friend}.",
            "{hero} looked at the {food}. [There was only one.|It was not very big.|{He} was hungry, too.] But {he} [thought for a moment|had a kind heart|did not wait long].",
            "\"[Let us share it|You can have half|We can eat together],\" <says> {hero}. [They sat down in the grass and ate together.|So they sat down under a tree and shared the {food}.]",
            "\"Thank you,\" said {friend}. \"[You are very kind.|Now I feel much better.|I will not forget this.]\"",
            "[The next day|A week later|Some days later], {friend} came back with a [basket full of <dish>|big pot of <dish>|{food}]. \"[This is for you|Now I share with you|A gift for a gift],\" said {friend}. {hero} was <glad>.",
        ],
        [
            "[In the evening|That night|In the afternoon], dark clouds came, and there was a big storm. The wind [howled|blew hard], and the rain fell on the roof.",
            "{hero} was afraid. {He} [hid under a blanket|closed {his} eyes|sat in a corner]. Then there was a knock at the door. [Knock, knock!|\"Who is there?\" asked {hero}.]",
            "It was {friend} the {fkind}. {fHe} was [wet and cold|shaking with cold]. \"May I come in?\" asked {friend}. \"[My house is full of water.|The wind took my roof.|I am afraid of the storm.]\"",
            "\"Come in, come in,\" said {hero}. {He} [lit the {lamp}|made a fire|warmed some <dish>] and gave {friend} a [dry blanket|warm cup of tea|place by the fire].",
            "They [told stories|sang songs|played a game] while the storm went on. [Soon they were not afraid any more.|And the thunder did not sound so loud any more.]",
            "In the morning, the sun came out. [There was a rainbow over the hills.|The world was clean and new.] \"[A storm is not so bad with a friend|Now I am not afraid any more],\" said {hero}.",
        ],
        [
            "[One day|One morning], {hero} had an idea. \"I want to [build|make] a {work},\" {he} said. {He} asked {friend} the {fkind} to help.",
            "\"[That is a <good> idea|Yes, let us do it|I would love to],\" said {friend}. They took {of} and began to work.",
            "It was [hard work|not easy]. [First, everything fell down.|The first one broke.|{friend} dropped something on {his} foot.] \"[Let us try again|We can do better|Slowly, slowly],\" said {hero}, and they [laughed and began again|tried another way].",
            "{elder} came by and [gave them a good idea|showed them how to do it|brought them <dish>]. \"[Many hands make light work|Good things take time|Well begun is half done],\" said {elder}.",
            "In the evening, the {work} was ready. It was <good>. {hero} and {friend} {use}.",
            "\"We made it together,\" said {friend}, and {hero} was <glad>.",
        ],
        [
            "One day, {hero} found a [<color> door|small <color> box|old map|<color> egg|letter in a bottle] <room>. [\"What can this be?\" {he} asked.|{He} had never seen such a thing.|It was very strange.]",
            "{He} showed it to {friend} the {fkind}. \"[Be careful|How strange|I wonder what it is],\" said {friend}. But {hero} was curious. [They looked at it for a long time.|They turned it this way and that way.]",
            "[Slowly|At last|Very gently], {hero} [opened it|touched it|held it up to the light]. There was a [soft light|small sound|sweet smell], and out came a [tiny <color> bird|butterfly with <color> wings|little star]. \"[Thank you for waking me|You are free to make a wish|I have waited so long],\" it said.",
            "\"[Will you stay with us?|Where do you come from?|What do you need?]\" asked {hero}. \"[I must fly home to the sky|I am lost and want to go home|I live behind the mountains],\" it [said|answered]. \"[Will you help me?|Can you show me the way?]\"",
            "So {hero} and {friend} [climbed the highest hill|walked through the forest|went down to the sea]. There the little one [flew up, up, up|waved and flew away|turned three times in the air]. \"Goodbye!\" they called.",
            "[In the sky, a new star was shining.|A <color> feather fell down, and {hero} kept it.|Where it had been, a flower grew.]",
        ],
        [
            "{elder!} was [ill|tired|alone]. So {hero} took a {food} and went to visit. [The way was long.|The path went through the forest.|It was a <weather> day.]",
            "On the way, {he} met {friend} the {fkind}. \"Where are you going?\" asked {friend}. \"To {elder},\" said {hero}. \"[May I come with you?|I will come, too,|Then I will pick some flowers,]\" <says> {friend}.",
            "They [walked side by side|sang as they walked|crossed the river on the old bridge]. [Soon|After a while], they saw [smoke from the chimney|the little house|a light in the window].",
            "\"[Who is there?|Come in!]\" called {elder}. \"It is {hero},\" said {hero}, \"and {friend} is with me. We have a {food} for you.\"",
            "{elder!} was <glad>. \"[You make me feel better already|How kind of you|What a <good> surprise].\" They [sat by the fire and ate|told old stories|drank tea] until it was late.",
        ],
        [
            "One night, {hero} could not sleep. [The moon was bright.|The house was very quiet.|The clock said tick, tock.] {He} looked out of the window at the stars.",
            "\"[How many stars are there?|Why does the moon follow me?|Where does the sun go at night?]\" {he} asked. {elder} [came in softly|sat down on the bed|was still awake]. \"[Nobody knows|That is a good question|Let us go and see],\" said {elder}.",
            "They went outside and lay down in the grass. [An owl called from a tree.|The night was warm and still.] Then a star fell. \"[Make a wish,|Did you see it?]\" said {elder}.",
            "{hero} closed {his} eyes and made a wish. {He} wished for [a friend|a {thing}|snow|a trip to the sea|good dreams].",
            "[In the morning|The next day], [there was a knock at the door. It was {friend} the {fkind}|{friend} the {fkind} came to play|a letter came from {friend} the {fkind}]. {hero} [smiled, because {his} wish had come true|laughed and ran outside|told {fhim} about the star].",
        ],
        [
            "There was to be a great race [around the lake|up the hill|through the forest]. {hero} wanted to win. So did {friend} the {fkind}[.|, who was very fast.]",
            "\"One, two, three, go!\" called {elder}. Off they ran. {friend} was [in front|the fastest], and {hero} was [right behind|close behind].",
            "[Then {friend} fell over a stone and hurt {fhis} foot.|Then there was a cry. {friend} had fallen into the mud.] {hero} could run on and win. But {he} [stopped|turned around|did not run on].",
            "\"[Are you all right?|Does it hurt?|Take my hand,]\" {asks} {hero}. {He} helped {friend} up, and they went on together, arm in arm.",
            "They were the last. But everyone [clapped and cheered|called their names]. \"You did not win the race,\" said {elder}, \"but you [won a friend|have a big heart|did the right thing].\"",
        ],
        [
            "[A <nature> dragon|A big giant|An old witch|A lonely wizard] lived on the hill. Everyone was afraid of it and nobody went there. But {hero} [heard it cry at night|saw its light every evening|wanted to know more].",
            "So one <weather> day, {he} took a {food} and climbed the hill. {His} heart [beat fast|was loud]. \"[Hello?|Is anybody there?|Please do not be angry,]\" {he} said.",
            "\"[Who comes to me?|Nobody ever comes here,|Are you not afraid?]\" said a deep voice. \"I am {hero},\" said {hero}. \"I brought you a {food}.\"",
            "The big one [sat down and smiled|began to cry|was quiet for a while]. \"[I am not bad|I am only lonely|Nobody has ever been so kind to me],\" it said. \"[I only want a friend.|Will you come again?]\"",
            "{hero} came again the next day and brought {friend} the {fkind}. Soon [the whole village came|nobody was afraid any more|there was music on the hill]. [The big one told the best stories.|And in winter, its fire kept everyone warm.]",
        ],
    ];

    public static string Write(Dice dice)
    {
        var roles = Cast(dice);
        var parts = new List<string> { dice.Of(Openings) };
        parts.AddRange(dice.Of(Plots));
        parts.Add(dice.Of(Endings));
        var story = new StringBuilder();
        for (var i = 0; i < parts.Count; i++)
        {
            // A new paragraph now and then, where something new begins.
            story.Append(i == 0 ? "" : i is 2 or 4 && dice.Below(3) == 0 ? "\n" : " ").Append(Expand(parts[i], roles, dice));
        }

        return Article().Replace(story.ToString(), "$1n ");
    }

    private static Dictionary<string, string> Cast(Dice dice)
    {
        var hero = Character(dice);
        var friend = Character(dice);
        while (friend.Name == hero.Name || friend.Kind is "girl" or "boy" || friend.Kind == hero.Kind)
        {
            friend = Character(dice);
        }

        var skill = dice.Of(Skills);
        var work = dice.Of(Works);
        var elder = dice.Of(Elders);
        var roles = new Dictionary<string, string>
        {
            ["hero"] = hero.Name,
            ["kind"] = hero.Kind,
            ["friend"] = friend.Name,
            ["fkind"] = friend.Kind,
            ["place"] = dice.Of(Places),
            ["thing"] = dice.Of(Things),
            ["food"] = dice.Of(Foods),
            ["do"] = skill.Do,
            ["doing!"] = Capital(skill.Doing),
            ["did"] = skill.Did,
            ["work"] = work.Thing,
            ["of"] = work.Of,
            ["use"] = work.Use,
            ["elder"] = elder,
            ["elder!"] = Capital(elder),
            ["lamp"] = "lamp",
            ["asks"] = "asked",
        };
        AddPronouns(roles, "", hero.Female);
        AddPronouns(roles, "f", friend.Female);
        return roles;
    }

    private static (string Name, string Kind, bool Female) Character(Dice dice) => dice.Below(5) switch
    {
        0 => (dice.Of(Girls), "girl", true),
        1 => (dice.Of(Boys), "boy", false),
        _ => (dice.Of(AnimalNames), dice.Of(Animals), dice.Below(2) == 0),
    };

    private static void AddPronouns(Dictionary<string, string> roles, string prefix, bool female)
    {
        roles[prefix + "he"] = female ? "she" : "he";
        roles[prefix + "He"] = female ? "She" : "He";
        roles[prefix + "his"] = female ? "her" : "his";
        roles[prefix + "His"] = female ? "Her" : "His";
        roles[prefix + "him"] = female ? "her" : "him";
    }

    private static string Expand(string template, Dictionary<string, string> roles, Dice dice)
    {
        while (Choice().Match(template) is { Success: true } choice)
        {
            template = template[..choice.Index] + dice.Of(choice.Groups[1].Value.Split('|')) + template[(choice.Index + choice.Length)..];
        }

        template = Word().Replace(template, word => dice.Of(Lists[word.Groups[1].Value]));
        template = Role().Replace(template, role => roles[role.Groups[1].Value]);
        return SentenceStart().Replace(template, start => start.Value.ToUpperInvariant());
    }

    private static string Capital(string words) => char.ToUpperInvariant(words[0]) + words[1..];

    /// <summary>Innermost choice.</summary>
    [GeneratedRegex(@"\[([^\[\]]*)\]")]
    private static partial Regex Choice();

    [GeneratedRegex("<([a-z]+)>")]
    private static partial Regex Word();

    [GeneratedRegex(@"\{([A-Za-z]+!?)\}")]
    private static partial Regex Role();

    /// <summary>A role such as "the old baker" may begin a sentence.</summary>
    [GeneratedRegex(@"(^|[.!?] )[a-z]")]
    private static partial Regex SentenceStart();

    /// <summary>"a" before a vowel.</summary>
    [GeneratedRegex(@"\b([Aa]) (?=[aeio])")]
    private static partial Regex Article();
}
