"""Markdown of what was measured: medians, and in brackets the median of the rounds' ratios to the reference."""
import statistics

from workloads import TITLES


def reference(label, labels):
    """Who a proxy is compared with: with headers itself without them, else the first."""
    plain = label.removesuffix('+header')
    return plain if plain != label and plain in labels else labels[0]


def summary(samples):
    """[{mode, workload, figure, peers: {label: {median, least, most, ratio}}}], in the order of measuring."""
    good = [sample for sample in samples if 'error' not in sample]
    labels = list(dict.fromkeys(sample['peer'] for sample in sorted(samples, key=lambda sample: sample['round'])))
    rows = []
    for mode, workload in dict.fromkeys((sample['mode'], sample['workload']) for sample in good):
        for figure, _, _ in TITLES[workload][1]:
            rounds = {label: {sample['round']: sample[figure] for sample in good
                              if (sample['mode'], sample['workload'], sample['peer']) == (mode, workload, label) and figure in sample}
                      for label in labels}
            peers = {}
            for label in labels:
                values = rounds[label]
                if not values:
                    continue
                peers[label] = {'median': statistics.median(values.values()), 'least': min(values.values()), 'most': max(values.values())}
                other = rounds[reference(label, [name for name in labels if rounds[name]])]
                ratios = [value / other[number] for number, value in values.items() if other.get(number)]
                if ratios:
                    peers[label]['ratio'] = statistics.median(ratios)
            if peers:
                rows.append({'mode': mode, 'workload': workload, 'figure': figure, 'peers': peers})
    return rows


def markdown(rows):
    text = []
    for mode in dict.fromkeys(row['mode'] for row in rows):
        chosen = [row for row in rows if row['mode'] == mode]
        labels = list(dict.fromkeys(label for row in chosen for label in row['peers']))
        text += [f'{mode}:', '', '| | | ' + ' | '.join(labels) + ' |', '|---|---|' + '---|' * len(labels)]
        for row in chosen:
            title, figures = TITLES[row['workload']]
            words, digits = next((words, digits) for name, words, digits in figures if name == row['figure'])
            cells = []
            for label in labels:
                peer = row['peers'].get(label)
                cell = f'{peer["median"]:.{digits}f}' if peer else '–'
                if peer and 'ratio' in peer and reference(label, labels) != label:
                    cell += f' ({peer["ratio"]:.2f})'
                cells.append(cell)
            text.append(f'| {title} | {words} | ' + ' | '.join(cells) + ' |')
        text.append('')
    return '\n'.join(text)
